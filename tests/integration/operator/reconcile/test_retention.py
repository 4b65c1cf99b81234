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
    broom = Retention(ends=Ends(given.database, fence=UNFENCED), history_days=90)
    assert [await broom.delete_batch() for _ in range(2)] == [PAUSE_S, None]
    assert await kept(given) == 0


async def test_a_process_that_does_not_lead_deletes_nothing(given: Scenario, another_database: Database) -> None:
    await some_old_meetings(given, 2)
    other = LeaderLock(another_database)
    assert await other.acquire()
    broom = Retention(ends=Ends(given.database, fence=LeaderLock(given.database)), history_days=90)
    assert await broom.delete_batch() is None
    assert await kept(given) == 2
    await other.release()


async def test_what_is_old_is_deleted_for_as_long_as_the_process_lives(given: Scenario) -> None:
    await some_old_meetings(given, 2)
    running = asyncio.create_task(Retention(ends=Ends(given.database, fence=UNFENCED), history_days=90).run())
    async with asyncio.timeout(5):
        while await kept(given):  # noqa: ASYNC110 - Postgres tells nobody
            await asyncio.sleep(0.02)
    assert not running.done()
    running.cancel()


async def test_with_zero_days_everything_is_kept(given: Scenario) -> None:
    await some_old_meetings(given, 2)
    await Retention(ends=Ends(given.database, fence=UNFENCED), history_days=0).run()
    assert await kept(given) == 2
