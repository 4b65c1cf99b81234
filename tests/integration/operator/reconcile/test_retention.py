"""Old meetings are deleted by the leader only, batch after batch."""

import asyncio

import pytest

from tests.scenario import Scenario
from usher_models.db.engine import Database
from usher_models.db.leader_lock import UNFENCED, LeaderLock
from usher_operator.lifecycle.close import Ends
from usher_operator.reconcile import retention
from usher_operator.reconcile.retention import DAY_S, PAUSE_S, Retention


async def some_old_meetings(given: Scenario, count: int) -> None:
    old = await given.a_bot().active().completed().written().waited(91 * DAY_S)
    await given.copies_of(old, count - 1)


async def kept(given: Scenario) -> int:
    return int(await given.scalar("SELECT count(*) FROM usher.bots"))


async def test_a_full_batch_is_followed_by_the_next_after_a_short_pause(
    given: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    await some_old_meetings(given, 3)
    broom = Retention(ends=Ends(given.database, fence=UNFENCED), history_days=90, evidence_days=30)
    assert [await broom.delete_batch() for _ in range(2)] == [PAUSE_S, None]
    assert await kept(given) == 0


async def test_a_process_that_does_not_lead_deletes_nothing(given: Scenario, another_database: Database) -> None:
    await some_old_meetings(given, 2)
    other = LeaderLock(another_database)
    assert await other.acquire()
    broom = Retention(ends=Ends(given.database, fence=LeaderLock(given.database)), history_days=90, evidence_days=30)
    assert await broom.delete_batch() is None
    assert await kept(given) == 2
    await other.release()


async def test_what_is_old_is_deleted_for_as_long_as_the_process_lives(given: Scenario) -> None:
    await some_old_meetings(given, 2)
    running = asyncio.create_task(
        Retention(ends=Ends(given.database, fence=UNFENCED), history_days=90, evidence_days=30).run()
    )
    async with asyncio.timeout(5):
        while await kept(given):  # noqa: ASYNC110 - Postgres tells nobody
            await asyncio.sleep(0.02)
    assert not running.done()
    running.cancel()


async def test_with_zero_days_everything_is_kept(given: Scenario) -> None:
    await some_old_meetings(given, 2)
    await Retention(ends=Ends(given.database, fence=UNFENCED), history_days=0, evidence_days=0).run()
    assert await kept(given) == 2


async def evidence_of(given: Scenario) -> int:
    return int(await given.scalar("SELECT count(*) FROM usher.evidence"))


async def failed(given: Scenario, *, days_ago: float) -> None:
    bot = await given.a_bot().active().failed().written().waited(days_ago * DAY_S)
    await given.execute(
        "UPDATE usher.evidence e SET failed_at = b.ended_at FROM usher.bots b"
        " WHERE b.meeting_id = e.meeting_id AND e.meeting_id = :id",
        id=bot.meeting_id,
    )


async def test_evidence_is_deleted_before_its_history(given: Scenario) -> None:
    await failed(given, days_ago=31)
    await failed(given, days_ago=29)
    broom = Retention(ends=Ends(given.database, fence=UNFENCED), history_days=90, evidence_days=30)
    assert await broom.delete_batch() is None
    assert (await kept(given), await evidence_of(given)) == (2, 1)


async def test_evidence_goes_with_its_history_at_the_latest(given: Scenario) -> None:
    await failed(given, days_ago=91)
    broom = Retention(ends=Ends(given.database, fence=UNFENCED), history_days=90, evidence_days=0)
    assert await broom.delete_batch() is None
    assert (await kept(given), await evidence_of(given)) == (0, 0)
