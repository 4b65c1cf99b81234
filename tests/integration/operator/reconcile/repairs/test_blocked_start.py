"""A bot that cannot start yet says why as soon as it is seen: in its row, on its BotRequest and in one Event."""

from typing import Any

import pytest

from tests.fakes.objects import unschedulable, waiting
from tests.integration.operator.plane import Plane
from tests.scenario import Scenario
from usher_models.db.bots import Bot
from usher_models.states import Status

QUOTA = 'pods "bot" is forbidden: exceeded quota: bots, requested: pods=1, used: pods=10, limited: pods=10'

BLOCKED = [
    pytest.param(
        {"state": waiting("ImagePullBackOff", 'Back-off pulling image "x": not found')},
        ("pulling", "ImagePullRetrying", "ImagePullBackOff"),
        id="image",
    ),
    pytest.param(
        {"state": None, "phase": "Pending", "conditions": [unschedulable()]},
        ("scheduling", "Unschedulable", "3 Insufficient memory"),
        id="no node",
    ),
    pytest.param(
        {"state": waiting("CreateContainerConfigError", 'secret "x" not found')},
        ("pulling", "ContainerBlocked", 'secret "x" not found'),
        id="no secret",
    ),
]


async def a_bot_with(plane: Plane, given: Scenario, pod: dict[str, Any]) -> Bot:
    bot = await given.a_bot().with_job().waited(20)
    return plane.in_kubernetes(bot, pod=pod)


def events(plane: Plane) -> list[tuple[str, str]]:
    return [(event["type"], event["reason"]) for event in plane.kube.events]


@pytest.mark.parametrize(("pod", "shown"), BLOCKED)
async def test_what_keeps_a_bot_from_running_is_shown_when_it_is_first_seen(
    plane: Plane, given: Scenario, pod: dict[str, Any], shown: tuple[str, str, str]
) -> None:
    stage, reason, words = shown
    bot = await a_bot_with(plane, given, pod)
    await plane.status_writer.write_changes()
    await plane.tick()
    await plane.status_writer.write_changes()
    status = plane.kube.status(str(bot.request_name))
    assert (status["phase"], status["stage"], status["reason"]) == ("reserved", stage, reason)
    joined = plane.kube.condition("Joined", str(bot.request_name))
    assert (joined["status"], joined["reason"]) == ("False", reason)
    assert words in status["message"]
    assert words in joined["message"]
    assert events(plane) == [("Warning", reason)]


@pytest.mark.parametrize(("pod", "shown"), BLOCKED)
async def test_it_is_shown_once(plane: Plane, given: Scenario, pod: dict[str, Any], shown: object) -> None:
    await a_bot_with(plane, given, pod)
    await plane.tick()
    await plane.status_writer.write_changes()
    before = await given.everything()
    for _ in range(3):
        await plane.tick(after=10)
        await plane.status_writer.write_changes()
    assert await given.everything() == before
    assert len(plane.kube.events) == 1


async def test_a_quota_that_is_full_is_told_by_the_events_of_the_job(plane: Plane, given: Scenario) -> None:
    bot = await a_bot_with(plane, given, {})
    plane.kube.pod_gone(bot.job_name)
    plane.kube.events_of_pods[bot.job_name] = [{"reason": "FailedCreate", "message": QUOTA}]
    await plane.tick()
    assert (await given.fresh(bot)).reason == "requested"
    await plane.tick(after=plane.settings.reconcile_interval_s)
    now = await given.fresh(bot)
    assert (now.status, now.reason) == (Status.RESERVED, "pod_refused")
    assert now.message == f"Kubernetes refuses to create the bot's pod: {QUOTA}"
    await plane.status_writer.write_changes()
    assert events(plane) == [("Warning", "PodRefused")]


async def test_what_once_kept_a_pod_from_being_created_is_not_told_of_one_that_is_there(
    plane: Plane, given: Scenario
) -> None:
    bot = await a_bot_with(plane, given, {"state": waiting("ContainerCreating")})
    plane.kube.events_of_pods[bot.job_name] = [{"reason": "FailedCreate", "message": QUOTA}]
    await plane.tick()
    await plane.tick(after=plane.settings.reconcile_interval_s)
    assert (await given.fresh(bot)).reason == "requested"


async def test_a_pod_that_pulls_its_image_has_that_stage_and_costs_no_write(plane: Plane, given: Scenario) -> None:
    bot = await a_bot_with(plane, given, {"state": waiting("ContainerCreating")})
    await plane.tick()
    now = await given.fresh(bot)
    assert (now.stage, now.reason, now.revision) == ("pulling", "requested", bot.revision)
    assert plane.kube.writes == []


async def test_a_bot_that_has_started_is_not_blocked(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().starting(), pod={"state": waiting("ImagePullBackOff")})
    await plane.tick()
    assert (await given.fresh(bot)).reason == "started"
    assert plane.kube.events == []


async def test_what_was_blocked_and_starts_goes_on_as_any_other(plane: Plane, given: Scenario) -> None:
    bot = await a_bot_with(plane, given, {"state": waiting("ImagePullBackOff")})
    await plane.tick()
    await given.execute("UPDATE usher.bots SET pod_uid = NULL WHERE meeting_id = :id", id=bot.meeting_id)
    started = await given.fresh(bot)
    assert started.reason == "image_pull_retrying"
    await given.ends(started)
    assert (await given.fresh(bot)).status is Status.COMPLETED
