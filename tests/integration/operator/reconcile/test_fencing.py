"""An operator that was stopped and wakes after another has taken over writes nothing."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.integration.operator.reconcile.sleeper import LEASE_S
from tests.scenario import Scenario
from usher_models.db.engine import Database
from usher_models.db.leader_lock import LeaderLock
from usher_models.errors import NotLeading
from usher_models.states import Status
from usher_operator.background.loop import Messages, repeat

ROOT = Path(__file__).resolve().parents[4]


@asynccontextmanager
async def a_sleeper(database_url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """An operator's reconciler in a process of its own; it is gone in the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.operator.reconcile.sleeper",
        database_url,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def hears(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


async def taken_over(lock: LeaderLock) -> float:
    """Take the lead as soon as it is free; how long that took, in seconds."""
    clock = asyncio.get_running_loop().time
    began = clock()
    async with asyncio.timeout(20):
        while not await lock.acquire():  # noqa: ASYNC110 - Postgres tells nobody
            await asyncio.sleep(0.05)
    return clock() - began


async def test_a_stopped_operator_loses_the_lead_and_writes_nothing_when_it_wakes(
    given: Scenario, another_database: Database, database_url: str, record_property: Callable[[str, object], None]
) -> None:
    bot = await given.a_bot().with_job().starting().active().with_last_beat(ago=500)
    other = LeaderLock(another_database)
    async with a_sleeper(database_url) as sleeper:
        assert await hears(sleeper) == "deciding"
        assert not await other.acquire()
        sleeper.send_signal(signal.SIGSTOP)
        took_s = await taken_over(other)
        before = await given.everything()
        sleeper.send_signal(signal.SIGCONT)
        assert await hears(sleeper) == "status fenced"
        assert await hears(sleeper) == "wrote 0"
        assert await given.everything() == before
    assert (await given.fresh(bot)).status is Status.ACTIVE
    await other.release()
    record_property("from SIGSTOP to the next leader, s", f"{took_s:.1f}")
    assert took_s < LEASE_S + 3


async def test_a_stopped_operator_that_nobody_replaced_leads_on_no_more_than_its_lease(
    given: Scenario, database_url: str
) -> None:
    """Whoever is stopped for longer than the lease must ask for the lead again."""
    bot = await given.a_bot().with_job().starting().active().with_last_beat(ago=500)
    async with a_sleeper(database_url) as sleeper:
        assert await hears(sleeper) == "deciding"
        sleeper.send_signal(signal.SIGSTOP)
        await until_gone(given)
        sleeper.send_signal(signal.SIGCONT)
        assert await hears(sleeper) == "status fenced"
        assert await hears(sleeper) == "wrote 0"
    assert (await given.fresh(bot)).status is Status.ACTIVE


async def until_gone(given: Scenario) -> None:
    """Return when nobody holds an advisory lock in this database any more."""
    query = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    async with asyncio.timeout(20):
        while await given.scalar(query):  # noqa: ASYNC110 - Postgres tells nobody
            await asyncio.sleep(0.05)


async def test_an_operator_that_was_not_stopped_does_its_work(given: Scenario, database_url: str) -> None:
    bot = await given.a_bot().with_job().starting().active().with_last_beat(ago=500)
    async with a_sleeper(database_url) as sleeper:
        assert await hears(sleeper) == "deciding"
        # The Job's deletion and the status.
        assert await hears(sleeper) == "wrote 2"
    assert (await given.fresh(bot)).reason == "heartbeat_lost"


async def test_a_lock_is_confirmed_only_while_it_is_held(database: Database, another_database: Database) -> None:
    mine, others = LeaderLock(database), LeaderLock(another_database)
    with pytest.raises(NotLeading):
        await confirmed(database, mine)
    assert await mine.acquire()
    await confirmed(database, mine)
    assert not await others.acquire()
    with pytest.raises(NotLeading):
        await confirmed(database, others)
    await mine.release()
    with pytest.raises(NotLeading):
        await confirmed(database, mine)
    await others.release()


async def confirmed(database: Database, lock: LeaderLock) -> None:
    async with database.transaction() as connection:
        await lock.confirm(connection)


async def test_a_lock_whose_session_was_cut_is_lost_at_once(database: Database, given: Scenario) -> None:
    lock = LeaderLock(database)
    assert await lock.acquire()
    await given.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with pytest.raises(NotLeading):
        await confirmed(database, lock)
    assert not await lock.acquire()
    assert await lock.acquire()
    await lock.release()


async def test_a_lock_that_is_kept_outlives_its_lease(database: Database) -> None:
    lock = LeaderLock(database, lease_s=0.8)
    assert await lock.acquire()
    messages = Messages(action="lease", postponed="Not renewed", failed="Not renewed")
    renewing = asyncio.create_task(repeat(lock.renew, messages, every_s=lock.renew_every_s))
    await asyncio.sleep(1.3)
    await confirmed(database, lock)
    renewing.cancel()
    await lock.release()


async def test_no_connection_of_the_pool_inherits_the_lease(database: Database) -> None:
    lock = LeaderLock(database, lease_s=5)
    await lock.acquire()
    await lock.release()
    async with database.transaction() as connection:
        assert await connection.scalar(text("SHOW idle_session_timeout")) == "0"
