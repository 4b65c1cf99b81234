"""Each repair is counted once, under its failure mode: the alerts of the chart stand on it."""

from collections.abc import Awaitable, Callable

import pytest
from prometheus_client import REGISTRY

from tests.fakes.objects import COMPLETE, terminated, unschedulable, waiting
from tests.integration.operator.plane import Plane
from tests.scenario import Scenario
from usher_operator.reconcile.failure_modes import FAILURE_MODES

Broken = Callable[[Plane, Scenario], Awaitable[object]]


async def external_end(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().starting().active())
    await given.execute("UPDATE meetings SET status = 'completed' WHERE id = :id", id=bot.meeting_id)


async def finished_job(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().starting().active(), pod={"state": terminated(0)})
    plane.kube.jobs["bots", bot.job_name]["status"] = {"conditions": [COMPLETE]}


async def unpullable_image(plane: Plane, given: Scenario) -> None:
    plane.in_kubernetes(await given.a_bot().with_job(), pod={"state": waiting("InvalidImageName")})


async def blocked_start(plane: Plane, given: Scenario) -> None:
    pod = {"state": None, "phase": "Pending", "conditions": [unschedulable()]}
    plane.in_kubernetes(await given.a_bot().with_job(), pod=pod)


async def heartbeat_lost(plane: Plane, given: Scenario) -> None:
    plane.in_kubernetes(await given.a_bot().with_job().starting().active().with_last_beat(ago=500))
    plane.in_kubernetes(await given.a_bot().with_job().starting().active())


async def max_duration(plane: Plane, given: Scenario) -> None:
    bot = await given.a_bot(max_duration_s=60).with_job().starting().active().waited(1000).beating()
    plane.in_kubernetes(bot)


async def ignored_leave(plane: Plane, given: Scenario) -> None:
    bot = await given.a_bot().with_job().starting().active().asked_to_leave().waited(10_000).beating()
    plane.in_kubernetes(bot)


async def missed_request(plane: Plane, given: Scenario) -> None:
    plane.a_request_of(await given.a_user())


BROKEN = [
    external_end,
    finished_job,
    unpullable_image,
    blocked_start,
    heartbeat_lost,
    max_duration,
    ignored_leave,
    missed_request,
]


def counted() -> dict[str, float]:
    """How often each failure mode was repaired so far."""
    names = [mode.name for mode in FAILURE_MODES]
    return {name: REGISTRY.get_sample_value("usher_repairs_total", {"mode": name}) or 0 for name in names}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: str(broken.__name__))
async def test_a_repair_is_counted_once_under_its_failure_mode(plane: Plane, given: Scenario, broken: Broken) -> None:
    await broken(plane, given)
    before = counted()
    await plane.tick()
    after = counted()
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {broken.__name__: 1}
