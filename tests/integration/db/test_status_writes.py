"""Which statuses are still to be written to BotRequests, and when a write that failed is tried again."""

import pytest

from tests.scenario import Scenario
from usher_models.db import status_writes
from usher_models.db.bots import Bot
from usher_models.db.history import LONGEST
from usher_models.db.status_writes import LONGEST_BACKOFF_S, REFUSED_BACKOFF_S, ShownStatus

DELAY_S = 5


async def unwritten(given: Scenario, *, limit: int = 10) -> list[int]:
    async with given.database.reading() as connection:
        return [
            each.meeting_id for each in await status_writes.unwritten_bots(connection, delay_s=DELAY_S, limit=limit)
        ]


async def failed(given: Scenario, bot: Bot, *, refused: bool = False) -> None:
    async with given.database.transaction() as connection:
        await status_writes.mark_failed(connection, [(bot, refused)])


async def paused_for(given: Scenario, bot: Bot) -> float | None:
    """Seconds until the next try."""
    query = "SELECT extract(epoch FROM write_after - now()) FROM usher.bots WHERE meeting_id = :id"
    seconds = await given.scalar(query, id=bot.meeting_id)
    return None if seconds is None else float(seconds)


async def test_what_passes_quickly_is_written_only_if_it_lasts(given: Scenario) -> None:
    await given.a_bot()
    with_job = await given.a_bot().with_job()
    await given.a_bot().written().starting()
    lasting = await given.a_bot().written().starting().waited(DELAY_S + 1)
    active = await given.a_bot().written().starting().active()
    await given.a_bot().active().written()
    nameless = await given.a_bot().active()
    await given.execute("UPDATE usher.bots SET request_name = NULL WHERE meeting_id = :id", id=nameless.meeting_id)
    assert sorted(await unwritten(given)) == sorted([with_job.meeting_id, lasting.meeting_id, active.meeting_id])


async def test_those_that_wait_longest_come_first(given: Scenario) -> None:
    late = await given.a_bot().active().waited(10)
    early = await given.a_bot().active().waited(20)
    await given.a_bot().active()
    assert await unwritten(given, limit=2) == [early.meeting_id, late.meeting_id]


async def history_of(given: Scenario, bot: Bot) -> list[tuple[str | None, str, int | None]]:
    async with given.database.reading() as connection:
        found = await status_writes.unwritten_bots(connection, delay_s=DELAY_S, limit=10)
    (history,) = (each.history for each in found if each.meeting_id == bot.meeting_id)
    return [(line.origin, line.target, line.seconds) for line in history]


async def test_each_bot_comes_with_its_own_last_transitions(given: Scenario) -> None:
    joined = await given.a_bot().waited(5).starting().waited(60).active()
    failed = await given.a_bot().active().waited(300).failed()
    assert await history_of(given, joined) == [
        (None, "reserved", None),
        ("reserved", "starting", 5),
        ("starting", "active", 60),
    ]
    assert (await history_of(given, failed))[-1] == ("active", "failed", 300)


async def test_only_the_last_transitions_come_along(given: Scenario) -> None:
    bot = await given.a_bot().active()
    await given.execute(
        "INSERT INTO usher.transitions (meeting_id, seq, from_status, to_status, source, reason)"
        " SELECT :id, seq, 'active', 'active', 'bot', 'late_started' FROM generate_series(100, 199) seq",
        id=bot.meeting_id,
    )
    assert len(await history_of(given, bot)) == LONGEST


async def test_a_newer_revision_than_the_written_one_is_written_once_more(given: Scenario) -> None:
    bot = await given.a_bot().active()
    newer = await given.a_bot().active()
    await given.execute("UPDATE usher.bots SET revision = revision + 1 WHERE meeting_id = :id", id=newer.meeting_id)
    async with given.database.transaction() as connection:
        await status_writes.mark_written(connection, [bot, newer])
    await given.execute("UPDATE usher.bots SET status_changed_at = now() - interval '1 hour'")
    assert await unwritten(given) == [newer.meeting_id]


async def test_a_write_that_fails_is_put_off_for_longer_each_time(given: Scenario) -> None:
    bot, other = await given.a_bot().active(), await given.a_bot().active()
    pauses = []
    for _ in range(12):
        await failed(given, bot)
        pauses.append(await paused_for(given, bot))
    usual = [min(2**number - 1, LONGEST_BACKOFF_S) for number in range(12)]
    assert pauses == [pytest.approx(pause, abs=1) for pause in usual]
    assert await unwritten(given) == [other.meeting_id]
    assert await paused_for(given, other) is None


async def test_a_write_that_is_refused_is_put_off_for_long(given: Scenario) -> None:
    bot = await given.a_bot().active()
    await failed(given, bot, refused=True)
    assert await paused_for(given, bot) == pytest.approx(REFUSED_BACKOFF_S, abs=1)


async def test_a_pause_that_is_over_ends(given: Scenario) -> None:
    bot = await given.a_bot().active()
    await failed(given, bot, refused=True)
    await given.execute("UPDATE usher.bots SET write_after = now() - interval '1 second'")
    assert await unwritten(given) == [bot.meeting_id]


async def test_everything_that_was_put_off_is_tried_at_once_after_a_restart(given: Scenario) -> None:
    bots = [await given.a_bot().active() for _ in range(2)]
    for bot in bots:
        await failed(given, bot, refused=True)
    assert await unwritten(given) == []
    async with given.database.transaction() as connection:
        await status_writes.retry_all(connection)
    assert await unwritten(given) == [bot.meeting_id for bot in bots]


async def test_a_write_that_succeeds_begins_the_pauses_anew(given: Scenario) -> None:
    bot = await given.a_bot().active()
    for _ in range(4):
        await failed(given, bot)
    async with given.database.transaction() as connection:
        await status_writes.mark_written(connection, [bot])
    assert await paused_for(given, bot) is None
    await failed(given, bot)
    assert await paused_for(given, bot) == pytest.approx(0, abs=1)


@pytest.mark.parametrize(
    ("changed", "edited"),
    [
        ({}, False),
        ({"phase": "completed"}, True),
        ({"reason": "SomethingElse"}, True),
        ({"uid": "of-another", "phase": "completed"}, False),
        ({"connection_id": "another", "phase": "completed"}, False),
    ],
)
async def test_a_status_that_somebody_edited_is_written_again(
    given: Scenario, changed: dict[str, str], edited: bool
) -> None:
    bot = await given.a_bot().starting().active().written()
    usual = {"connection_id": bot.connection_id, "uid": bot.request_uid or "", "phase": "active", "reason": "Joined"}
    async with given.database.transaction() as connection:
        found = await status_writes.rewrite_edited(connection, [ShownStatus(**usual | changed)])
    assert found == ([bot.meeting_id] if edited else [])
    await given.execute("UPDATE usher.bots SET status_changed_at = now() - interval '1 hour'")
    assert await unwritten(given) == found


async def test_a_status_that_is_still_to_be_written_was_edited_by_nobody(given: Scenario) -> None:
    bot = await given.a_bot().active().written().stopping()
    shown = ShownStatus(connection_id=bot.connection_id, uid=bot.request_uid or "", phase="active", reason="Joined")
    async with given.database.transaction() as connection:
        assert await status_writes.rewrite_edited(connection, [shown]) == []


async def test_why_a_reservation_waits_is_noted_once_and_only_while_it_waits(given: Scenario) -> None:
    waiting, started = await given.a_bot().written(), await given.a_bot().starting().written()

    async def note(bot: Bot, message: str = "The quota is used up.") -> Bot:
        async with given.database.transaction() as connection:
            await status_writes.note_reason(connection, bot.meeting_id, reason="job_forbidden", message=message)
        return await given.fresh(bot)

    noted = await note(waiting)
    assert (noted.reason, noted.message) == ("job_forbidden", "The quota is used up.")
    assert noted.revision == waiting.revision + 1
    assert (await note(waiting)).revision == noted.revision
    assert (await note(waiting, "Another quota.")).revision == noted.revision + 1
    assert (await note(started)).reason == started.reason
