"""The feed: each change once, late commits included, and nothing while nobody follows."""

import json
from collections.abc import Sequence

import pytest

from tests.scenario import Scenario
from usher_models.errors import DatabaseUnavailable
from usher_operator.api.vexa import status_feed
from usher_operator.api.vexa.status_feed import Follower, StatusFeed


def statuses(follower: Follower) -> list[str]:
    frames = [json.loads(follower.frames.get_nowait()) for _ in range(follower.frames.qsize())]
    return [frame["payload"]["status"] for frame in frames]


async def test_each_change_is_handed_on_once_from_the_moment_of_following(given: Scenario) -> None:
    user = await given.a_user()
    await given.a_bot(user).starting()
    feed, follower = StatusFeed(given.database), Follower(user_id=user.id)
    await feed.follow(follower)
    assert statuses(follower) == []
    await given.a_bot(user).starting().active()
    for _ in range(3):
        await feed.poll()
    assert statuses(follower) == ["reserved", "starting", "active"]


async def test_a_change_that_was_committed_late_is_handed_on(given: Scenario) -> None:
    user = await given.a_user()
    feed, follower = StatusFeed(given.database), Follower(user_id=user.id)
    await feed.follow(follower)
    await given.a_bot(user)
    await feed.poll()
    await given.a_bot(user).waited(5)
    await feed.poll()
    assert statuses(follower) == ["reserved", "reserved"]


async def test_a_full_batch_is_not_read_for_ever(given: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_feed, "BATCH", 3)
    user = await given.a_user()
    feed, follower = StatusFeed(given.database), Follower(user_id=user.id)
    await feed.follow(follower)
    for _ in range(2):
        await given.a_bot(user).starting().active()
    for _ in range(4):
        await feed.poll()
    assert statuses(follower) == ["reserved", "starting", "active"] * 2


async def test_without_followers_the_database_is_left_alone(given: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = StatusFeed(given.database)
    monkeypatch.setattr(given.database, "reading", None)
    await feed.poll()


async def test_older_clients_read_their_own_words_and_gateways_get_them_on_redis(given: Scenario) -> None:
    published: list[tuple[tuple[str, ...], str]] = []

    async def announce(channels: Sequence[str], message: str) -> None:
        published.append((tuple(channels), json.loads(message)["payload"]["status"]))

    feed = StatusFeed(given.database, legacy=True, announce=announce)
    await feed.poll()
    bot = await given.a_bot().starting().active()
    await feed.poll()
    channels = (
        f"bm:meeting:{bot.meeting_id}:status",
        f"bm:meeting:{bot.user_id}:{bot.platform}:{bot.native_id}:status",
        f"u:{bot.user_id}:meetings",
    )
    assert published == [(channels, "requested"), (channels, "joining"), (channels, "active")]


async def test_a_database_that_is_away_is_asked_again(given: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    user = await given.a_user()
    feed, follower = StatusFeed(given.database), Follower(user_id=user.id)
    with monkeypatch.context() as broken:

        def away() -> None:
            raise DatabaseUnavailable

        broken.setattr(given.database, "reading", away)
        await feed.follow(follower)
    await feed.poll()
    await given.a_bot(user)
    await feed.poll()
    assert statuses(follower) == ["reserved"]
