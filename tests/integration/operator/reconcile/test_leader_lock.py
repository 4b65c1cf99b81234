"""The lock of the leader: who has it, for how long a process may believe so, and what waiting for it costs."""

import asyncio
import logging

import pytest

from tests.fakes.clock import FakeClock
from tests.scenario import Scenario
from usher_models.db.engine import Database
from usher_models.db.leader_lock import UNFENCED, LeaderLock, require_lead
from usher_models.errors import NotLeading


async def sessions(given: Scenario) -> list[int]:
    """The sessions that have a lease, by their process ids."""
    query = "SELECT array_agg(pid ORDER BY pid) FROM pg_stat_activity WHERE query LIKE '%pg_try_advisory_lock%'"
    return list(await given.scalar(query + " AND pid <> pg_backend_pid() AND datname = current_database()") or [])


async def test_a_process_leads_until_its_lease_is_over_counted_from_before_it_asked(
    database: Database, clock: FakeClock
) -> None:
    lock = LeaderLock(database, lease_s=15, clock=clock)
    assert not lock.leads
    assert await lock.acquire()
    clock.advance(14.9)
    assert lock.leads
    clock.advance(0.1)
    assert not lock.leads
    with pytest.raises(NotLeading):
        require_lead(lock)
    await lock.release()


async def test_a_renewal_begins_the_lease_anew(database: Database, clock: FakeClock) -> None:
    lock = LeaderLock(database, lease_s=15, clock=clock)
    await lock.acquire()
    clock.advance(10)
    await lock.renew()
    clock.advance(10)
    assert (lock.leads, lock.held_for_s) == (True, 20)
    await lock.release()
    assert (lock.leads, lock.held_for_s) == (False, 0)


async def test_a_renewal_takes_no_lock_that_was_lost(database: Database, given: Scenario) -> None:
    lock = LeaderLock(database)
    await lock.acquire()
    await given.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    for _ in range(3):
        await lock.renew()
    assert (lock.leads, lock.lost.is_set(), lock.gained.is_set()) == (False, True, False)


async def test_a_process_that_waits_asks_on_one_session_and_has_the_lock_as_soon_as_it_is_given_back(
    database: Database, another_database: Database, given: Scenario
) -> None:
    leader, standby = LeaderLock(database), LeaderLock(another_database)
    assert await leader.acquire()
    assert not await standby.acquire()
    before = await sessions(given)
    assert not await standby.acquire()
    assert await sessions(given) == before
    await leader.release()
    assert await standby.acquire()
    assert (standby.gained.is_set(), standby.lost.is_set()) == (True, False)
    await standby.release()


async def test_a_process_that_ends_takes_the_lock_no_more(database: Database, another_database: Database) -> None:
    ending, standby = LeaderLock(database), LeaderLock(another_database)
    assert await ending.acquire()
    await ending.close()
    assert not await ending.acquire()
    assert await standby.acquire()
    assert ending.gained.is_set(), "nothing waits for it any more"
    await standby.release()


async def test_it_is_logged_once_who_leads_and_why_a_process_lost_the_lead(
    database: Database, another_database: Database, given: Scenario, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="usher_models")
    leader, standby = LeaderLock(database, lease_s=0.1), LeaderLock(another_database)
    for _ in range(2):
        assert await leader.acquire()
        assert not await standby.acquire()
    async with asyncio.timeout(10):
        while not await standby.acquire():  # noqa: ASYNC110 - Postgres tells nobody
            await asyncio.sleep(0.02)
    assert not await leader.acquire()
    assert [(record.levelname, record.__dict__["action"], record.getMessage()) for record in caplog.records] == [
        ("INFO", "leading", "This process leads."),
        ("INFO", "not_leading", "Another process leads; this one stands by."),
        ("INFO", "leading", "This process leads."),
        ("WARNING", "not_leading", "This process paused for longer than its lease and has lost the lead."),
    ]
    await standby.release()


async def test_a_server_that_turned_read_only_gives_no_lead(
    database: Database, another_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    leader, standby = LeaderLock(database), LeaderLock(another_database)
    assert await leader.acquire()
    assert not await standby.acquire()
    await leader.release()
    assert standby._connection is not None
    await standby._connection.exec_driver_sql("SET default_transaction_read_only = on")
    assert not await standby.acquire()
    assert standby._connection is None, "the session to such a server is given up"
    assert "does not accept writes" in caplog.text
    assert await standby.acquire()
    await standby.release()


def test_what_is_unfenced_may_always_act_and_is_never_alone() -> None:
    require_lead(UNFENCED)
    assert UNFENCED.held_for_s == 0
