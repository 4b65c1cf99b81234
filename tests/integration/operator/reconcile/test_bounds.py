"""A sweep is bounded however slow the API server is, and says that it lives after every repair."""

import asyncio
from typing import Any

import pytest

from tests.fakes.clock import FakeClock
from tests.fakes.kube import FakeKube
from tests.fakes.publisher import RecordingPublisher
from tests.fakes.settings import some_settings
from tests.integration.operator.plane import Plane
from tests.scenario import Scenario
from usher_models.states import Status
from usher_operator.kube import api_budget
from usher_operator.reconcile import each, reconciler
from usher_operator.reconcile.failure_modes import FailureMode
from usher_operator.reconcile.sweep import Sweep

HANGS_S = 3600.0


class SlowKube(FakeKube):
    """Its lists answer; everything else hangs, as a half-open API server does."""

    async def delete_job(self, namespace: str, name: str, *, uid: str | None = None) -> bool:
        await asyncio.sleep(HANGS_S)
        return await super().delete_job(namespace, name, uid=uid)

    async def pod_events(self, namespace: str, pod_name: str) -> list[dict[str, Any]]:
        await asyncio.sleep(HANGS_S)
        return await super().pod_events(namespace, pod_name)

    async def create_event(self, namespace: str, event: dict[str, Any]) -> None:
        await asyncio.sleep(HANGS_S)

    async def create_job(self, namespace: str, job: dict[str, Any]) -> bool:
        await asyncio.sleep(HANGS_S)
        return await super().create_job(namespace, job)


@pytest.fixture
def kube() -> FakeKube:
    return SlowKube()


@pytest.fixture
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five seconds of a call are a twentieth, and the twenty of a sweep a fifth."""
    monkeypatch.setattr(api_budget, "CALL_TIMEOUT_S", 0.05)
    monkeypatch.setattr(api_budget, "SLOW_S", 0.02)
    monkeypatch.setattr(each, "LIMIT_S", 0.2)


async def swept_in_s(plane: Plane) -> float:
    time = asyncio.get_running_loop().time
    began_at = time()
    await plane.tick()
    return time() - began_at


@pytest.mark.usefixtures("short_limits")
async def test_dead_bots_do_not_make_a_sweep_last_their_number_of_timeouts(plane: Plane, given: Scenario) -> None:
    dead = await given.a_bot().with_job().active().with_last_beat(ago=500)
    alive = await given.a_bot().with_job().active().beating()
    bots = [dead, *await given.copies_of(dead, 19)]
    for bot in (*bots, alive, *await given.copies_of(alive, 30)):
        plane.in_kubernetes(bot)
    assert await swept_in_s(plane) < 20
    ended = [await given.fresh(bot) for bot in bots]
    assert {(bot.status, bot.reason) for bot in ended} == {(Status.FAILED, "heartbeat_lost")}


@pytest.mark.usefixtures("short_limits")
async def test_requests_whose_jobs_cannot_be_created_do_not_hold_up_the_rest_of_the_sweep(
    plane: Plane, given: Scenario
) -> None:
    user = await given.a_user()
    for number in range(20):
        plane.a_request_of(user, f"request-{number}")
    late = plane.in_kubernetes(await given.a_bot().with_job().waited(301))
    await asyncio.wait_for(plane.tick(), timeout=20)
    assert (await given.fresh(late)).reason == "never_started"


@pytest.mark.usefixtures("short_limits")
async def test_a_brownout_that_begins_does_not_wait_for_its_events(plane: Plane, given: Scenario) -> None:
    dead = await given.a_bot().with_job().active().with_last_beat(ago=500)
    for bot in (dead, *await given.copies_of(dead, 19)):
        plane.in_kubernetes(bot)
    assert await swept_in_s(plane) < 20
    assert plane.reconciler._memory.brownout.active


async def test_every_repair_is_a_sign_of_life(plane: Plane, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []

    async def slow(_: Sweep) -> None:
        seen.append(clock() - plane.reconciler.ticked_at)
        clock.advance(100)

    monkeypatch.setattr(reconciler, "FAILURE_MODES", (FailureMode("slow", slow),) * 3)
    await plane.tick()
    assert seen == [0, 0, 0]
    assert plane.reconciler.ticked_at == clock()


async def test_a_small_fleet_outlives_a_cut_between_its_bots_and_serve(
    given: Scenario, publisher: RecordingPublisher, clock: FakeClock
) -> None:
    """serve reaches its database all the time, so no outage is noted and nothing credited."""
    plane = Plane(given=given, kube=FakeKube(), publisher=publisher, clock=clock, settings=some_settings())
    first = await given.a_bot().with_job().active().with_last_beat(ago=121)
    bots = [plane.in_kubernetes(bot) for bot in (first, *await given.copies_of(first, 3))]
    await plane.tick()
    await plane.tick(after=plane.settings.brownout_small_fleet_s - 1)
    assert {(await given.fresh(bot)).status for bot in bots} == {Status.ACTIVE}
    await plane.tick(after=1)
    assert {(await given.fresh(bot)).reason for bot in bots} == {"heartbeat_lost"}
    await plane.close()
