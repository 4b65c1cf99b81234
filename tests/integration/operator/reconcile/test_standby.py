"""Two operators on one database: one leads and acts, the other stands by and leads a moment after the first is gone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from prometheus_client import REGISTRY

from tests.fakes.clock import FakeClock
from tests.fakes.kube import FakeKube
from tests.fakes.settings import some_settings
from tests.integration.operator.plane import Plane
from tests.scenario import Scenario
from usher_models.db.engine import Database
from usher_models.db.leader_lock import LeaderLock
from usher_models.errors import CapReached, NotLeading
from usher_operator.lifecycle.delete_objects import ObjectDeleter
from usher_operator.reconcile import reconciler
from usher_operator.reconcile.reconciler import Reconciler
from usher_operator.watch.status_writer import StatusWriter

LEASE_S = 15.0


@pytest.fixture
async def lock(plane: Plane, clock: FakeClock) -> AsyncIterator[LeaderLock]:
    """The plane's lock, held, on its clock; what follows from the watch is fenced by it."""
    lock = LeaderLock(plane.database, lease_s=LEASE_S, clock=clock)
    assert await lock.acquire()
    plane.fence = lock
    plane.use(plane.database)
    yield lock
    await lock.release()


@asynccontextmanager
async def running(one: Reconciler) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(one.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)


def gauge(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciler, "ASK_EVERY_S", 0.02)


@pytest.mark.usefixtures("quick")
async def test_a_standby_sweeps_as_soon_as_the_leader_is_stopped(plane: Plane, another_database: Database) -> None:
    leader = plane.reconciler
    async with running(leader) as leading:
        await until(lambda: leader._lock.leads)
        plane.use(another_database)
        standby = plane.reconciler
        async with running(standby):
            await until(lambda: standby._lock._connection is not None)
            reads = plane.kube.reads
            leading.cancel()
            await until(lambda: plane.kube.reads > reads)
            assert (leader._lock.leads, standby._lock.leads) == (False, True)


@pytest.mark.usefixtures("quick")
async def test_a_leader_that_loses_the_lead_asks_for_it_before_its_next_sweep_is_due(
    plane: Plane, given: Scenario
) -> None:
    plane.settings = some_settings(reconcile_interval_s=3600)
    leader = plane.a_reconciler()
    async with running(leader):
        await until(lambda: leader._lock.leads)
        await given.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        await leader._lock.renew()
        assert not leader._lock.leads
        await until(lambda: leader._lock.leads)


async def test_only_the_leader_shows_what_its_sweep_found(
    plane: Plane, given: Scenario, another_database: Database
) -> None:
    plane.in_kubernetes(await given.a_bot().with_job().starting().active())
    await plane.tick()
    assert (gauge("usher_leader"), gauge("usher_live_bots", status="active")) == (1, 1)
    await plane.reconciler._lock.release()
    other = LeaderLock(another_database)
    assert await other.acquire()
    assert not await plane.reconciler.tick()
    assert (gauge("usher_leader"), gauge("usher_live_bots", status="active")) == (0, None)
    assert gauge("usher_brownout_active") == 0
    await other.release()


async def test_a_leader_that_was_stopped_before_it_reserved_reserves_nothing_when_it_wakes(
    plane: Plane, given: Scenario, lock: LeaderLock, clock: FakeClock
) -> None:
    body = plane.a_request_of(await given.a_user())
    clock.advance(LEASE_S)
    with pytest.raises(NotLeading):
        await plane.ensure(body)
    assert await plane.bot_of(body) is None
    assert plane.kube.writes == []


async def test_a_leader_that_was_stopped_after_it_reserved_creates_no_job_when_it_wakes(
    plane: Plane, given: Scenario, lock: LeaderLock, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = plane.a_request_of(await given.a_user())
    starter = plane.ensurer._starter
    start = starter.start

    async def stopped(bot: object) -> None:
        clock.advance(LEASE_S)
        await start(bot)  # type: ignore[arg-type]

    monkeypatch.setattr(starter, "start", stopped)
    with pytest.raises(NotLeading):
        await plane.ensure(body)
    assert await plane.bot_of(body) is not None
    assert plane.kube.writes == []


async def test_a_leader_that_was_stopped_after_a_refusal_shows_none_when_it_wakes(
    plane: Plane, given: Scenario, lock: LeaderLock, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = plane.a_request_of(await given.a_user())

    async def stopped(*_: object) -> None:
        clock.advance(LEASE_S)
        raise CapReached(limit=1, used=1)

    monkeypatch.setattr(plane.ensurer, "_reserve", stopped)
    with pytest.raises(NotLeading):
        await plane.ensure(body)
    assert plane.kube.writes == []


async def test_a_leftover_job_that_another_leader_replaced_meanwhile_stays(
    plane: Plane, given: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = await given.a_bot()
    leftover = {"metadata": {"name": bot.job_name, "namespace": "bots", "uid": "old"}}
    plane.kube.jobs["bots", bot.job_name] = {"metadata": leftover["metadata"] | {"uid": "new"}}

    async def as_it_was(*_: object) -> dict[str, dict[str, str]]:
        return leftover

    monkeypatch.setattr(plane.kube, "get_job", as_it_was)
    with pytest.raises(Exception, match="leftover Job"):
        await plane.ensurer._starter._check_ours(bot)
    assert ("bots", bot.job_name) in plane.kube.jobs


async def test_a_standby_reads_no_rows_to_write_statuses_or_to_delete_objects(
    plane: Plane, given: Scenario, no_database: Database
) -> None:
    standby = LeaderLock(no_database)
    writer = StatusWriter(
        database=no_database,
        kube=plane.kube,
        delay_s=0,
        installation=plane.installation,
        now=plane.clock.now,
        fence=standby,
    )
    deleter = ObjectDeleter(database=no_database, kube=plane.kube, fence=standby)
    assert await writer._write_if_leading() is None
    assert await deleter._delete_batch() is None


async def test_an_event_that_a_leader_posted_before_it_died_is_not_posted_again(
    plane: Plane, given: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    plane.in_kubernetes(await given.a_bot().with_job().active())
    with monkeypatch.context() as dying:
        dying.setattr(plane.status_writer, "_record", _nothing)
        await plane.status_writer.write_changes()
    await plane.status_writer.write_changes()
    names = [event["metadata"]["name"] for event in _posted(plane.kube)]
    assert len(names) == 2
    assert len(set(names)) == 1


async def _nothing(_outcomes: object) -> None:
    pass


def _posted(kube: FakeKube) -> list[dict[str, dict[str, str]]]:
    return kube.events
