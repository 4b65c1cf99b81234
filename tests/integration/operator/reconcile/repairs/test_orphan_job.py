"""No Job without a live row, no live row without a Job or a request: with patience, for one sight proves nothing."""

import pytest
from prometheus_client import REGISTRY

from tests.fakes.objects import COMPLETE, DEADLINE, a_botrequest, terminated
from tests.fakes.publisher import RecordingPublisher
from tests.integration.operator.plane import Plane
from tests.scenario import Scenario
from usher_models.db.bots import Bot
from usher_models.errors import KubernetesUnavailable
from usher_models.states import Desired, Source, Status
from usher_operator.kube.botrequest import BotRequest


def grace(plane: Plane) -> float:
    return plane.settings.orphan_grace_s


def interval(plane: Plane) -> float:
    return plane.settings.reconcile_interval_s


def requests_repaired() -> float:
    return REGISTRY.get_sample_value("usher_repairs_total", {"mode": "missed_request"}) or 0


async def gone(plane: Plane, making: Bot) -> Bot:
    """A bot whose Job and pod are gone."""
    bot = plane.in_kubernetes(making)
    del plane.kube.jobs["bots", bot.job_name]
    plane.kube.pod_gone(bot.job_name)
    return bot


async def test_a_job_whose_meeting_is_over_is_deleted_after_its_grace(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().active().failed(by=Source.RECONCILER))
    await plane.tick()
    await plane.tick(after=grace(plane) - 1)
    assert ("bots", bot.job_name) in plane.kube.jobs
    await plane.tick(after=1)
    assert plane.kube.jobs == {}


async def a_rowless_job(plane: Plane, given: Scenario) -> str:
    """The name of a Job whose row is gone, as after a restore; its BotRequest is there."""
    bot = plane.in_kubernetes(await given.a_bot().with_job().active())
    await given.execute("DELETE FROM usher.bots WHERE meeting_id = :id", id=bot.meeting_id)
    plane.kube.status(str(bot.request_name))["phase"] = "completed"
    return bot.job_name


async def outlast(plane: Plane) -> None:
    await plane.tick()
    await plane.tick(after=grace(plane))


async def test_a_job_without_a_row_stays_as_long_as_its_request_does(plane: Plane, given: Scenario) -> None:
    name = await a_rowless_job(plane, given)
    plane.kube.jobs["bots", name]["metadata"]["ownerReferences"][0]["uid"] = "still-there"
    plane.kube.apply(a_botrequest("other", uid="still-there", status={"phase": "failed"}))
    plane.kube.status("other")["phase"] = "active"
    await outlast(plane)
    assert ("bots", name) in plane.kube.jobs


async def test_a_job_without_a_row_whose_request_is_gone_is_deleted(plane: Plane, given: Scenario) -> None:
    await a_rowless_job(plane, given)
    plane.kube.requests.clear()
    await outlast(plane)
    assert plane.kube.jobs == {}


@pytest.mark.parametrize("installation", ["another", None])
async def test_a_job_that_this_installation_did_not_make_is_never_deleted(
    plane: Plane, given: Scenario, installation: str | None
) -> None:
    name = await a_rowless_job(plane, given)
    plane.kube.requests.clear()
    labels = plane.kube.jobs["bots", name]["metadata"]["labels"]
    labels.pop("usher.dev/installation")
    labels |= {"usher.dev/installation": installation} if installation else {}
    await outlast(plane)
    assert ("bots", name) in plane.kube.jobs
    assert plane.kube.writes == []


async def test_a_row_that_cannot_be_read_keeps_its_job(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().active())
    await given.execute("UPDATE meetings SET status = 'needs_help' WHERE id = :id", id=bot.meeting_id)
    await outlast(plane)
    assert ("bots", bot.job_name) in plane.kube.jobs


async def test_a_finished_job_stays_for_its_logs(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().active().completed())
    plane.kube.finish(bot.job_name, condition=COMPLETE, state=terminated(0))
    await plane.tick()
    await plane.tick(after=10 * grace(plane))
    assert ("bots", bot.job_name) in plane.kube.jobs


async def test_a_job_that_is_being_deleted_is_not_deleted_again(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().active().failed(by=Source.RECONCILER))
    plane.kube.jobs["bots", bot.job_name]["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    await plane.tick()
    await plane.tick(after=10 * grace(plane))
    assert plane.kube.writes_of("Job") == []


async def test_the_job_of_a_live_meeting_is_never_an_orphan(plane: Plane, given: Scenario) -> None:
    bots = [
        plane.in_kubernetes(bot)
        for bot in (
            await given.a_bot().with_job(),
            await given.a_bot(),
            await given.a_bot().with_job().starting(),
            await given.a_bot().with_job().active(),
            await given.a_bot().with_job().active().stopping(),
        )
    ]
    for _ in range(3):
        await plane.tick(after=grace(plane))
    assert {name for _, name in plane.kube.jobs} == {bot.job_name for bot in bots}
    assert "delete" not in plane.kube.writes_of("Job")


async def test_without_the_api_server_nothing_is_an_orphan_and_the_grace_goes_on(plane: Plane, given: Scenario) -> None:
    live = await gone(plane, await given.a_bot().with_job().active())
    plane.kube.away = True
    for _ in range(3):
        await plane.tick(after=grace(plane))
    plane.kube.away = False
    await plane.tick()
    assert (await given.fresh(live)).status is Status.ACTIVE


async def test_an_api_server_that_can_be_read_in_part_is_evidence_of_nothing(plane: Plane, given: Scenario) -> None:
    live = await gone(plane, await given.a_bot().with_job().active())
    for method in ("list_pods", "list_jobs", "list_requests"):
        plane.kube.fail(method, KubernetesUnavailable())
        await plane.tick(after=grace(plane))
    assert (await given.fresh(live)).status is Status.ACTIVE


async def test_a_row_whose_job_and_pod_are_gone_fails_after_one_interval(plane: Plane, given: Scenario) -> None:
    bot = await gone(plane, await given.a_bot().with_job().active())
    await plane.tick()
    await plane.tick(after=interval(plane) - 1)
    assert (await given.fresh(bot)).status is Status.ACTIVE
    await plane.tick(after=1)
    failed = await given.fresh(bot)
    assert (failed.status, failed.reason) == (Status.FAILED, "job_missing")
    assert (await given.story(bot))[-1].source == "evidence"


async def test_a_pod_that_is_still_there_may_still_speak(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().active())
    await plane.kube.delete_job("bots", bot.job_name)
    await plane.tick()
    await plane.tick(after=10 * interval(plane))
    assert (await given.fresh(bot)).status is Status.ACTIVE
    plane.kube.pod_gone(bot.job_name)
    await plane.tick()
    await plane.tick(after=interval(plane))
    assert (await given.fresh(bot)).reason == "job_missing"


async def test_a_row_that_never_had_a_job_is_not_missing_one(plane: Plane, given: Scenario) -> None:
    bot = await given.a_bot()
    plane.kube.apply(a_botrequest(str(bot.request_name), uid=bot.request_uid, connectionId=bot.connection_id))
    plane.kube.fail("create_job", KubernetesUnavailable())
    plane.kube.fail("create_job", KubernetesUnavailable())
    await plane.tick()
    await plane.tick(after=interval(plane))
    assert (await given.fresh(bot)).status is Status.RESERVED


async def test_a_job_that_vanished_with_a_bot_that_should_leave_is_no_failure_before_it_started(
    plane: Plane, given: Scenario
) -> None:
    bot = await gone(plane, await given.a_bot().with_job().asked_to_leave())
    await plane.tick()
    await plane.tick(after=interval(plane))
    ended = await given.fresh(bot)
    assert (ended.status, ended.reason) == (Status.COMPLETED, "stopped_before_start")


async def test_a_job_that_ran_into_its_deadline_and_is_gone_is_missing(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().active())
    plane.kube.finish(bot.job_name, condition=DEADLINE)
    plane.kube.owner_deletes("bots", str(bot.request_name))
    await plane.tick()
    await plane.tick(after=interval(plane))
    assert (await given.fresh(bot)).reason == "request_deleted"


async def test_a_request_deleted_behind_ushers_back_lets_its_bot_leave(
    plane: Plane, given: Scenario, publisher: RecordingPublisher
) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().active())
    del plane.kube.requests["bots", str(bot.request_name)]
    await plane.tick()
    assert publisher.published == []
    await plane.tick(after=interval(plane))
    asked = await given.fresh(bot)
    assert (asked.status, asked.desired, asked.leave_reason) == (Status.ACTIVE, Desired.LEAVE, "request_deleted")
    assert publisher.actions(bot.connection_id) == ["leave"]


async def test_a_status_that_somebody_wrote_by_hand_makes_no_bot_leave(
    plane: Plane, given: Scenario, publisher: RecordingPublisher
) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().active())
    plane.kube.status(str(bot.request_name))["phase"] = "completed"
    await plane.tick()
    await plane.tick(after=interval(plane))
    assert (await given.fresh(bot)).desired is Desired.RUN
    assert publisher.published == []


async def test_a_request_deleted_with_its_job_closes_the_row(plane: Plane, given: Scenario) -> None:
    user = await given.a_user(cap=1)
    bot = plane.in_kubernetes(await given.a_bot(user).with_job().active())
    plane.kube.owner_deletes("bots", str(bot.request_name))
    plane.kube.pod_gone(bot.job_name)
    await plane.tick()
    await plane.tick(after=interval(plane))
    ended = await given.fresh(bot)
    assert (ended.status, ended.reason) == (Status.FAILED, "request_deleted")
    assert await given.slots_held(user) == 0


async def test_a_reservation_whose_job_exists_is_not_ended_as_unstarted(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await given.a_bot())
    del plane.kube.requests["bots", str(bot.request_name)]
    await plane.tick()
    await plane.tick(after=interval(plane))
    asked = await given.fresh(bot)
    assert (asked.status, asked.desired) == (Status.RESERVED, Desired.LEAVE)


async def test_a_request_deleted_before_anything_ran_is_completed(plane: Plane, given: Scenario) -> None:
    bot = await given.a_bot()
    await plane.tick()
    await plane.tick(after=interval(plane))
    ended = await given.fresh(bot)
    assert (ended.status, ended.reason) == (Status.COMPLETED, "stopped_before_start")


async def test_a_row_of_the_api_whose_request_is_not_there_yet_has_not_lost_it(plane: Plane, given: Scenario) -> None:
    bot = await given.a_bot(request_uid=None)
    await plane.tick()
    await plane.tick(after=10 * interval(plane))
    kept = await given.fresh(bot)
    assert (kept.status, kept.desired) == (Status.RESERVED, Desired.RUN)


async def test_a_request_that_the_watch_missed_is_admitted(plane: Plane, given: Scenario) -> None:
    body = plane.a_request_of(await given.a_user())
    await plane.tick()
    bot = await plane.bot_of(body)
    assert bot is not None
    assert list(plane.kube.jobs) == [("bots", bot.job_name)]


async def test_what_the_watch_has_in_hand_is_left_to_it_until_it_lets_go(plane: Plane, given: Scenario) -> None:
    body = plane.a_request_of(await given.a_user())
    with plane.in_flight.tracking(BotRequest.from_object(body)):
        await plane.tick()
        assert await plane.bot_of(body) is None
    await plane.tick(after=interval(plane))
    assert await plane.bot_of(body) is not None


async def test_a_row_whose_job_was_never_made_gets_it(plane: Plane, given: Scenario) -> None:
    body = plane.a_request_of(await given.a_user())
    plane.kube.fail("create_job", KubernetesUnavailable())
    await plane.tick()
    assert plane.kube.jobs == {}
    await plane.tick(after=interval(plane))
    bot = await plane.bot_of(body)
    assert bot is not None
    assert bot.job_created_at is not None
    assert list(plane.kube.jobs) == [("bots", bot.job_name)]


async def test_a_change_that_the_watch_missed_is_taken_over(
    plane: Plane, given: Scenario, publisher: RecordingPublisher
) -> None:
    body = plane.a_request_of(await given.a_user())
    await plane.ensure(body)
    body["spec"] |= {"language": "fr", "desiredState": "Left"}
    plane.kube.apply(body)
    await plane.tick()
    assert [command.action for _, command in publisher.published] == ["reconfigure", "leave"]


async def test_a_request_that_was_refused_is_left_alone(plane: Plane, given: Scenario) -> None:
    plane.a_request_of(await given.a_user(cap=0))
    await plane.tick()
    writes, repairs = list(plane.kube.writes), requests_repaired()
    assert writes
    await plane.tick(after=interval(plane))
    assert plane.kube.writes == writes
    assert requests_repaired() == repairs


async def test_a_request_that_breaks_does_not_keep_the_others_waiting(
    plane: Plane, given: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await given.a_user()
    bodies = [plane.a_request_of(user, name) for name in ("first", "broken", "last")]
    ensure = plane.ensurer.ensure

    async def breaking(request: object) -> None:
        if getattr(request, "name", "") == "broken":
            raise ZeroDivisionError
        await ensure(request)  # type: ignore[arg-type]

    monkeypatch.setattr(plane.ensurer, "ensure", breaking)
    await plane.tick()
    admitted = [await plane.bot_of(body) is not None for body in bodies]
    assert admitted == [True, False, True]
