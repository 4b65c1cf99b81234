"""Meetings that another program ended or deleted: Usher's side follows, once, with all that belongs to an end."""

import pytest

from tests.scenario import Scenario
from usher_models.db import bots, external_ends, status_writes
from usher_models.db.bots import Bot
from usher_models.db.external_ends import ExternalEnd
from usher_models.states import LIVE, Status


async def followed(given: Scenario, *, limit: int = 100) -> list[ExternalEnd]:
    async with given.database.transaction() as connection:
        return await external_ends.follow(connection, limit=limit)


async def end(given: Scenario, bot: Bot, status: str) -> None:
    await given.execute("UPDATE meetings SET status = :status WHERE id = :id", status=status, id=bot.meeting_id)


async def delete(given: Scenario, bot: Bot) -> None:
    for table, key in (("meeting_sessions", "meeting_id"), ("meetings", "id")):
        await given.execute(f"DELETE FROM {table} WHERE {key} = :id", id=bot.meeting_id)


async def own_row(given: Scenario, bot: Bot) -> tuple[bool, str, bool]:
    """Whether Usher's row has ended, its reason, and whether a heartbeat remains."""
    ended = await given.scalar("SELECT ended_at IS NOT NULL FROM usher.bots WHERE meeting_id = :id", id=bot.meeting_id)
    reason = await given.scalar("SELECT reason FROM usher.bots WHERE meeting_id = :id", id=bot.meeting_id)
    beats = await given.scalar("SELECT count(*) FROM usher.heartbeats WHERE meeting_id = :id", id=bot.meeting_id)
    return ended, reason, bool(beats)


@pytest.mark.parametrize("spelling", ["Completed", " FAILED "])
async def test_an_end_is_one_however_it_is_spelled(given: Scenario, spelling: str) -> None:
    bot = await given.a_bot().active()
    await end(given, bot, spelling)
    (moved,) = await followed(given)
    assert moved.target == spelling.strip().lower()
    assert await own_row(given, bot) == (True, "ended_externally", False)


@pytest.mark.parametrize("status", ["completed", "failed"])
async def test_a_meeting_that_others_ended_has_ended(given: Scenario, status: str) -> None:
    bot = await given.a_bot().active()
    await end(given, bot, status)
    (moved,) = await followed(given)
    assert (moved.meeting_id, moved.origin, moved.target) == (bot.meeting_id, "active", status)
    assert await own_row(given, bot) == (True, "ended_externally", False)
    line = (await given.story(bot))[-1]
    assert (line.origin, line.target, line.source, line.reason) == ("active", status, "external", "ended_externally")
    assert await followed(given) == []


async def test_a_meeting_that_others_deleted_has_failed_and_its_request_shows_it(given: Scenario) -> None:
    bot = await given.a_bot().active().written()
    await delete(given, bot)
    (moved,) = await followed(given)
    assert (moved.target, moved.reason) == ("failed", "meeting_deleted")
    assert await own_row(given, bot) == (True, "meeting_deleted", False)
    async with given.database.reading() as connection:
        (shown,) = await status_writes.unwritten_bots(connection, delay_s=5, limit=10)
    assert (shown.meeting_id, shown.status, shown.reason) == (bot.meeting_id, Status.FAILED, "meeting_deleted")
    assert (shown.platform, shown.native_id) == ("", "")


@pytest.mark.parametrize("gone", [False, True])
async def test_the_webhook_of_an_end_by_others_is_sent(given: Scenario, gone: bool) -> None:
    user = await given.a_user()
    await given.execute(
        'UPDATE users SET data = \'{"webhook_url": "https://example.org/hook"}\' WHERE id = :id', id=user.id
    )
    bot = await given.a_bot(user).active()
    await (delete(given, bot) if gone else end(given, bot, "completed"))
    await followed(given)
    query = (
        "SELECT payload -> 'data' -> 'status_change' ->> 'transition_source' FROM usher.webhook_deliveries"
        " WHERE payload -> 'data' -> 'status_change' ->> 'reason' IN ('ended_externally', 'meeting_deleted')"
    )
    if not gone:  # a user hears of a failure only on request
        assert await given.scalar(query) == "external"
    else:
        assert await given.scalar(query) is None


@pytest.mark.parametrize("status", [*sorted(LIVE), "needs_help", "Active"])
async def test_a_live_meeting_and_one_of_an_unknown_status_are_left_alone(given: Scenario, status: str) -> None:
    bot = await given.a_bot().active()
    await end(given, bot, status)
    before = await given.everything()
    assert await followed(given) == []
    assert await given.everything() == before


async def test_the_ends_are_followed_in_batches(given: Scenario) -> None:
    first = await given.a_bot().active()
    for bot in (first, *await given.copies_of(first, 4)):
        await end(given, bot, "failed")
    assert [len(await followed(given, limit=2)) for _ in range(4)] == [2, 2, 1, 0]


async def test_what_others_ended_is_not_among_the_live(given: Scenario) -> None:
    kept, ended, gone = [await given.a_bot().active() for _ in range(3)]
    await end(given, ended, "failed")
    await delete(given, gone)
    async with given.database.reading() as connection:
        assert [bot.meeting_id for bot in await bots.live_summaries(connection)] == [kept.meeting_id]
