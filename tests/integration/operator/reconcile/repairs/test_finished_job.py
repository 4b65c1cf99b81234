"""A Job that ended while its row lives: how it ended is read from Kubernetes, by the sweep and by the watch alike."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.fakes.objects import (
    BACKOFF_LIMIT,
    COMPLETE,
    DEADLINE,
    FAILED_BY_POLICY,
    disrupted,
    running,
    terminated,
)
from tests.integration.operator.plane import Plane
from tests.scenario import Scenario
from usher_models.errors import DatabaseUnavailable, KubernetesUnavailable
from usher_models.states import Source, Status

Json = dict[str, Any]
See = Callable[[Plane, Json], Awaitable[None]]


async def by_sweep(plane: Plane, _job: Json) -> None:
    await plane.tick()


async def by_watch(plane: Plane, job: Json) -> None:
    await plane.finished_job.close(job)


SEEN = pytest.mark.parametrize("see", [by_sweep, by_watch])

ENDINGS = [
    pytest.param(COMPLETE, {"state": terminated(0)}, Status.COMPLETED, "exited_zero", id="exit code 0"),
    pytest.param(COMPLETE, {}, Status.COMPLETED, "exited_zero", id="complete, pod gone"),
    pytest.param(FAILED_BY_POLICY, {"state": terminated(7)}, Status.FAILED, "exit_code_7", id="exit code 7"),
    pytest.param(
        FAILED_BY_POLICY, {"state": terminated(137, reason="OOMKilled")}, Status.FAILED, "oom_killed", id="OOM"
    ),
    pytest.param(
        FAILED_BY_POLICY,
        {"state": terminated(143), "conditions": [disrupted("EvictionByEvictionAPI")]},
        Status.FAILED,
        "evicted",
        id="evicted",
    ),
    pytest.param(
        FAILED_BY_POLICY, {"conditions": [disrupted("DeletionByPodGC")]}, Status.FAILED, "node_lost", id="node lost"
    ),
    pytest.param(DEADLINE, {}, Status.FAILED, "deadline_exceeded", id="deadline"),
    pytest.param(BACKOFF_LIMIT, {}, Status.FAILED, "job_failed", id="failed, pod gone"),
    pytest.param(FAILED_BY_POLICY, {}, Status.FAILED, "exit_code_1", id="exit code 1, pod gone with a TTL of 0"),
    pytest.param(
        COMPLETE,
        {"state": terminated(0), "conditions": [disrupted("EvictionByEvictionAPI")]},
        Status.FAILED,
        "evicted",
        id="evicted, and ended with 0",
    ),
    pytest.param(
        FAILED_BY_POLICY,
        {"state": terminated(143), "conditions": [disrupted("PreemptionByScheduler")]},
        Status.FAILED,
        "preempted",
        id="preempted",
    ),
    pytest.param(
        BACKOFF_LIMIT, {"state": terminated(143), "deleting": True}, Status.FAILED, "pod_deleted", id="pod deleted"
    ),
]


@SEEN
@pytest.mark.parametrize(("condition", "pod", "status", "reason"), ENDINGS)
async def test_the_end_of_the_job_is_the_end_of_the_meeting(
    plane: Plane, given: Scenario, see: See, condition: Json, pod: Json, status: Status, reason: str
) -> None:
    user = await given.a_user(cap=1)
    bot = plane.in_kubernetes(await given.a_bot(user).with_job().starting().active())
    await see(plane, plane.kube.finish(bot.job_name, condition=condition, **pod))
    ended = await given.fresh(bot)
    assert (ended.status, ended.reason) == (status, reason)
    line = (await given.story(bot))[-1]
    assert (line.source, line.detail["job"].partition(":")[0]) == ("evidence", condition["type"])
    assert await given.slots_held(user) == 0


@SEEN
async def test_exit_code_zero_before_the_meeting_is_no_success(plane: Plane, given: Scenario, see: See) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().starting())
    await see(plane, plane.kube.finish(bot.job_name, condition=COMPLETE, state=terminated(0)))
    ended = await given.fresh(bot)
    assert (ended.status, ended.reason) == (Status.FAILED, "exited_silently")


@SEEN
async def test_the_bots_last_sentence_is_told(plane: Plane, given: Scenario, see: See) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().starting())
    state = terminated(2, message="No browser found.")
    await see(plane, plane.kube.finish(bot.job_name, condition=FAILED_BY_POLICY, state=state))
    ended = await given.fresh(bot)
    assert ended.message == "The bot's process ended with exit code 2. Its last words: No browser found."


@SEEN
async def test_a_bot_that_said_goodbye_has_the_last_word(plane: Plane, given: Scenario, see: See) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().active().completed(reason="meeting_ended"))
    before = await given.everything()
    await see(plane, plane.kube.finish(bot.job_name, condition=FAILED_BY_POLICY, state=terminated(1)))
    assert await given.everything() == before


@SEEN
async def test_the_job_of_another_database_proves_nothing_about_this_one(
    plane: Plane, given: Scenario, see: See
) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().active())
    job = plane.kube.jobs["bots", bot.job_name]
    job["metadata"]["annotations"]["usher.dev/connection-id"] = "another"
    await see(plane, plane.kube.finish(bot.job_name, condition=FAILED_BY_POLICY, state=terminated(1)))
    assert (await given.fresh(bot)).status is Status.ACTIVE


@SEEN
async def test_a_job_that_runs_changes_nothing(plane: Plane, given: Scenario, see: See) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().active())
    before = await given.everything()
    await see(plane, plane.kube.jobs["bots", bot.job_name])
    assert await given.everything() == before


@SEEN
async def test_the_second_sight_of_an_ended_job_changes_nothing(plane: Plane, given: Scenario, see: See) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().active())
    job = plane.kube.finish(bot.job_name, condition=COMPLETE, state=terminated(0))
    await see(plane, job)
    before = await given.everything()
    await see(plane, job)
    assert await given.everything() == before


async def test_a_job_without_a_meeting_is_passed_over(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().active())
    job = plane.kube.finish(bot.job_name, condition=COMPLETE)
    before = await given.everything()
    for label in ("4711", "x", ""):
        job["metadata"]["labels"]["usher.dev/meeting-id"] = label
        await plane.finished_job.close(job)
    assert await given.everything() == before


async def test_a_pod_that_cannot_be_read_leaves_the_jobs_own_word(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().active())
    job = plane.kube.finish(bot.job_name, condition=FAILED_BY_POLICY, state=terminated(7))
    plane.kube.fail("list_pods", KubernetesUnavailable())
    await plane.finished_job.close(job)
    # The Job's condition names the exit code.
    assert (await given.fresh(bot)).reason == "exit_code_1"


async def test_with_the_database_away_the_watch_leaves_it_to_the_sweep(
    plane: Plane, given: Scenario, no_database: Any
) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().active())
    job = plane.kube.finish(bot.job_name, condition=COMPLETE)
    plane.use(no_database)
    with pytest.raises(DatabaseUnavailable, match="Connection refused"):
        await plane.finished_job.close(job)


@SEEN
async def test_a_finished_job_stays_until_its_ttl_for_the_sake_of_its_log(
    plane: Plane, given: Scenario, see: See
) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().active())
    await see(plane, plane.kube.finish(bot.job_name, condition=FAILED_BY_POLICY, state=terminated(1)))
    assert (await given.fresh(bot)).status is Status.FAILED
    await plane.tick(after=10 * plane.settings.orphan_grace_s)
    assert ("bots", bot.job_name) in plane.kube.jobs


async def test_a_sidecar_that_never_ends_does_not_hide_how_the_bot_ended(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().active().beating())
    pod = plane.kube.run_pod(bot.job_name, state=terminated(9))
    pod["status"]["containerStatuses"].append({"name": "sidecar", "state": running()})
    await plane.tick()
    ended = await given.fresh(bot)
    assert (ended.status, ended.reason) == (Status.FAILED, "exit_code_9")
    # The sidecar would keep it running.
    assert plane.kube.jobs == {}


async def test_an_init_container_that_failed_is_named(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job())
    plane.kube.finish(bot.job_name, condition=BACKOFF_LIMIT, phase="Failed")
    pod = plane.kube.pods["bots", bot.job_name]
    pod["status"]["initContainerStatuses"] = [{"name": "fetch-profile", "state": terminated(7)}]
    await plane.tick()
    ended = await given.fresh(bot)
    assert (ended.status, ended.reason) == (Status.FAILED, "init_container_failed")
    assert ended.message == "The init container fetch-profile of the bot's pod ended with exit code 7."


async def test_a_bot_whose_job_was_suspended_has_ended(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().active().beating())
    waits = plane.in_kubernetes(await given.a_bot().with_job())
    for each in (bot, waits):
        job = plane.kube.jobs["bots", each.job_name]
        job["status"] = {"conditions": [{"type": "Suspended", "status": "True"}]}
        plane.kube.pod_gone(each.job_name)
    await plane.tick()
    await plane.tick(after=plane.settings.reconcile_interval_s)
    assert (await given.fresh(bot)).reason == "job_suspended"
    # A queue of the cluster may suspend a Job until there is room for it.
    assert (await given.fresh(waits)).status is Status.RESERVED


async def test_evidence_does_not_move_what_somebody_else_ended(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().active().failed(by=Source.RECONCILER, reason="why"))
    await plane.finished_job.close(plane.kube.finish(bot.job_name, condition=COMPLETE))
    assert (await given.fresh(bot)).reason == "why"
