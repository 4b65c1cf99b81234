"""Each change of status is told once, in its own transaction, to those who asked for it."""

import hashlib
from collections import Counter
from typing import Any

import pytest

from tests.integration.operator.webhooks.outbox import EVERY_EVENT, a_subscriber, fields, ledger, set_webhook
from tests.scenario import BotInTheMaking, Scenario, move, speaker_of
from usher_models.db import external_ends
from usher_models.db.transitions import Report, report
from usher_models.states import Source, Status

URL = "https://hooks.example.org/usher"


class Changed(Exception):
    """Somebody changed their mind."""


async def test_a_whole_life_is_told_once_and_in_order(given: Scenario) -> None:
    user = await a_subscriber(given, URL, events=EVERY_EVENT)
    bot = await given.a_bot(user).starting().active().stopping().completed()
    told = [(each.event_type, each.payload["data"]["status_change"]["to"]) for each in await ledger(given, user)]
    assert Counter(told) == {
        ("meeting.status_change", "reserved"): 1,
        ("meeting.status_change", "starting"): 1,
        ("meeting.status_change", "active"): 1,
        ("meeting.started", "active"): 1,
        ("meeting.status_change", "stopping"): 1,
        ("meeting.status_change", "completed"): 1,
        ("meeting.completed", "completed"): 1,
    }
    changes = [each.payload["data"]["status_change"] for each in await ledger(given, user)]
    story = await given.story(bot)
    assert {each["sequence"] for each in changes} == {line.seq for line in story}


async def test_an_event_says_what_the_api_shows_and_no_more(given: Scenario) -> None:
    user = await a_subscriber(given, URL)
    bot = await given.a_bot(user, config={"passcode": "hush"}, spec={"passcode": "hush"}).active().completed()
    (only,) = await ledger(given, user)
    event = only.payload
    assert (event["event_id"], event["event_type"], event["api_version"]) == (
        only.event_id,
        "meeting.completed",
        "2026-03-01",
    )
    meeting = event["data"]["meeting"]
    assert (meeting["id"], meeting["platform"], meeting["native_meeting_id"]) == (
        bot.meeting_id,
        bot.platform,
        bot.native_id,
    )
    assert (meeting["status"], meeting["reason"], meeting["message"]) == ("completed", bot.reason, bot.message)
    assert meeting["start_time"].endswith("Z")
    assert meeting["end_time"] == meeting["updated_at"] == event["created_at"]
    assert "hush" not in str(event)


async def test_an_event_id_is_made_of_what_it_tells_and_when_that_was(given: Scenario) -> None:
    user = await a_subscriber(given, URL)
    bot = await given.a_bot(user).completed()
    (only,) = await ledger(given, user)
    at = await given.scalar(
        "SELECT extract(epoch FROM ended_at) FROM usher.bots WHERE meeting_id = :id", id=bot.meeting_id
    )
    name = f"{bot.meeting_id}/{bot.connection_id}/2/meeting.completed/{at}"
    assert only.event_id == f"evt_{hashlib.sha256(name.encode()).hexdigest()[:32]}"


CHOICES: list[tuple[Any, set[str]]] = [
    (None, {"meeting.completed"}),
    ([], {"meeting.completed"}),
    ({}, {"meeting.completed"}),
    (["bot.failed", "meeting.started"], {"meeting.started"}),
    ({"meeting.started": True}, {"meeting.started", "meeting.completed"}),
    ({"meeting.completed": False, "meeting.status_change": True}, {"meeting.status_change"}),
    ({"meeting.completed": None}, {"meeting.completed"}),
    (["nothing known"], set()),
    ("nonsense", {"meeting.completed"}),
    (17, {"meeting.completed"}),
    ({"meeting.started": {"deep": []}}, {"meeting.completed"}),
]


@pytest.mark.parametrize(("events", "expected"), CHOICES)
async def test_users_get_what_they_asked_for(given: Scenario, events: Any, expected: set[str]) -> None:
    user = await a_subscriber(given, URL, events=events)
    await given.a_bot(user).starting().active().completed()
    assert {each.event_type for each in await ledger(given, user)} == expected


WRITERS = {
    Source.BOT: lambda making: making.active(),
    Source.OPERATOR: lambda making: making,
    Source.API: lambda making: making,
    Source.RECONCILER: lambda making: making.starting(),
    Source.EVIDENCE: lambda making: making.active(),
}


@pytest.mark.parametrize("source", WRITERS)
async def test_whoever_ends_a_meeting_it_is_told(given: Scenario, source: Source) -> None:
    user = await a_subscriber(given, URL, events=["bot.failed"])
    making: BotInTheMaking = WRITERS[source](given.a_bot(user))
    await making.failed(by=source, reason="why")
    (only,) = await ledger(given, user)
    change = only.payload["data"]["status_change"]
    assert (only.event_type, change["transition_source"], change["reason"]) == ("bot.failed", source, "why")


async def test_an_end_by_another_program_is_told(given: Scenario) -> None:
    user = await a_subscriber(given, URL, events=["bot.failed"])
    await given.a_bot(user).active()
    await given.execute("UPDATE meetings SET status = 'failed'")
    async with given.database.transaction() as connection:
        assert len(await external_ends.follow(connection, limit=10)) == 1
    (only,) = await ledger(given, user)
    change = only.payload["data"]["status_change"]
    assert (only.event_type, change["transition_source"]) == ("bot.failed", Source.EXTERNAL)
    assert set(WRITERS) == set(Source) - {Source.EXTERNAL, Source.ADOPTION}


async def test_what_is_rolled_back_was_never_told(given: Scenario) -> None:
    user = await a_subscriber(given, URL, events=EVERY_EVENT)
    bot = await given.a_bot(user)
    before = await fields(given, "event_id")

    async def move_and_regret() -> None:
        async with given.database.transaction() as connection:
            assert await move(connection, bot, Status.ACTIVE, source=Source.BOT)
            raise Changed

    with pytest.raises(Changed):
        await move_and_regret()
    assert await fields(given, "event_id") == before


async def test_a_repeat_is_told_once(given: Scenario) -> None:
    user = await a_subscriber(given, URL, events=EVERY_EVENT)
    bot = await given.a_bot(user)
    told = Report(
        connection_id=bot.connection_id,
        target=Status.ACTIVE,
        reason="joined",
        speaker=speaker_of(bot),
        event_id="event",
    )
    for _ in range(3):
        async with given.database.at_once() as connection:
            await report(connection, told)
    assert [each.event_type for each in await ledger(given, user)].count("meeting.started") == 1


@pytest.mark.parametrize("url", [None, ""])
async def test_without_a_webhook_nothing_is_written(given: Scenario, url: str | None) -> None:
    user = await given.a_user()
    await set_webhook(given, user, url, events=EVERY_EVENT)
    await given.a_bot(user).starting().active().completed()
    assert await fields(given, "id") == []


@pytest.mark.parametrize("data", ["[]", '"text"', "null", "7", '{"webhook_url": {"a": 1}}'])
async def test_no_data_of_a_user_stands_in_the_way_of_a_transition(given: Scenario, data: str) -> None:
    user = await given.a_user()
    await given.execute("UPDATE users SET data = CAST(:data AS jsonb) WHERE id = :id", data=data, id=user.id)
    assert (await given.a_bot(user).active().completed()).status is Status.COMPLETED
