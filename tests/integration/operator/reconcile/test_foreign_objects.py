"""A sweep in a world that others write into: what it cannot read or does not serve proves nothing and stops nothing."""

import logging
from typing import Any

import pytest
from prometheus_client import REGISTRY

from tests.fakes.objects import FAILED_BY_POLICY, terminated
from tests.fakes.publisher import RecordingPublisher
from tests.integration.operator.plane import Plane
from tests.scenario import Scenario
from usher_models.db.bots import Bot
from usher_models.states import Desired, Status


async def a_healthy_bot(plane: Plane, given: Scenario, **request: Any) -> Bot:
    return plane.in_kubernetes(await given.a_bot(**request).with_job().active().waited(1000).beating())


async def a_crashed_bot(plane: Plane, given: Scenario, **request: Any) -> Bot:
    bot = await a_healthy_bot(plane, given, **request)
    namespace = str(bot.request_namespace)
    plane.kube.finish(bot.job_name, namespace, condition=FAILED_BY_POLICY, state=terminated(1))
    return bot


async def set_status(given: Scenario, bot: Bot, status: str) -> None:
    await given.execute("UPDATE meetings SET status = :status WHERE id = :id", status=status, id=bot.meeting_id)


def left_out(why: str) -> float | None:
    return REGISTRY.get_sample_value("usher_bots_left_out", {"why": why})


async def test_one_row_that_cannot_be_read_stops_no_sweep(
    plane: Plane, given: Scenario, caplog: pytest.LogCaptureFixture
) -> None:
    odd = await a_healthy_bot(plane, given)
    await set_status(given, odd, "needs_help")
    crashed = await a_crashed_bot(plane, given)
    for _ in range(3):
        await plane.tick(after=100)
    assert (await given.fresh(crashed)).reason == "exit_code_1"
    named = [record for record in caplog.records if record.__dict__["action"] == "row_unreadable"]
    assert [(record.levelno, record.__dict__["meeting_id"]) for record in named] == [(logging.ERROR, odd.meeting_id)]
    assert left_out("unreadable") == 1
    await set_status(given, odd, "active")
    await plane.tick()
    assert left_out("unreadable") == 0


async def test_the_statuses_of_the_others_are_written(plane: Plane, given: Scenario) -> None:
    odd, plain = await a_healthy_bot(plane, given), await a_healthy_bot(plane, given)
    await set_status(given, odd, "needs_help")
    await plane.status_writer.write_changes()
    assert plane.kube.status(str(plain.request_name))["phase"] == "active"
    assert plane.kube.status(str(odd.request_name)) == {}


async def test_meetings_that_others_ended_lose_their_jobs_and_disturb_no_brownout(
    plane: Plane, given: Scenario
) -> None:
    ended = [await a_healthy_bot(plane, given) for _ in range(6)]
    for bot in ended:
        await set_status(given, bot, "failed")
    await given.execute("UPDATE usher.heartbeats SET at = now() - interval '10 minutes'")
    dead = plane.in_kubernetes(await given.a_bot().with_job().active().with_last_beat(ago=500))
    alive = [await a_healthy_bot(plane, given) for _ in range(3)]
    await plane.tick()
    await plane.tick(after=10)
    assert (await given.fresh(dead)).reason == "heartbeat_lost"
    assert {bot.reason for bot in [await given.fresh(each) for each in ended]} == {"ended_externally"}
    assert {name for _, name in plane.kube.jobs} == {bot.job_name for bot in alive}
    assert (await given.story(ended[0]))[-1].source == "external"


async def test_a_namespace_that_is_not_served_proves_nothing_about_its_bots(
    plane: Plane, given: Scenario, publisher: RecordingPublisher, caplog: pytest.LogCaptureFixture
) -> None:
    served = await a_healthy_bot(plane, given)
    other = await a_healthy_bot(plane, given, request_namespace="team-b")
    for _ in range(4):
        await plane.tick(after=100)
    for bot in (served, other):
        now = await given.fresh(bot)
        assert (now.status, now.desired) == (Status.ACTIVE, Desired.RUN)
    assert publisher.published == []
    assert plane.kube.writes == []
    warned = [record for record in caplog.records if record.__dict__["action"] == "namespace_not_served"]
    assert [record.__dict__["namespace"] for record in warned] == ["team-b"]
    assert left_out("namespace_not_served") == 1


async def test_a_namespace_that_is_gone_takes_no_evidence_from_the_others(plane: Plane, given: Scenario) -> None:
    plane.settings = plane.settings.model_copy(update={"namespaces": ("bots", "team-b")})
    plane.use(given.database)
    crashed = await a_crashed_bot(plane, given)
    kept = await a_healthy_bot(plane, given, request_namespace="team-b")
    missed = plane.a_request_of(await given.a_user())
    plane.kube.forbidden.add("team-b")
    for _ in range(3):
        await plane.tick(after=100)
    assert (await given.fresh(crashed)).reason == "exit_code_1"
    assert await plane.bot_of(missed) is not None
    now = await given.fresh(kept)
    assert (now.status, now.desired) == (Status.ACTIVE, Desired.RUN)


async def test_what_another_installation_owns_is_neither_judged_nor_deleted(plane: Plane, given: Scenario) -> None:
    """A second database on the same namespace: its sweeps find Jobs that it did not make."""
    bot = await a_healthy_bot(plane, given)
    body = plane.kube.requests["bots", str(bot.request_name)]
    body["status"] = {"phase": "active", "installation": "another"}
    plane.kube.jobs["bots", bot.job_name]["metadata"]["labels"]["usher.dev/installation"] = "another"
    for table in ("usher.heartbeats", "usher.bots", "meeting_sessions", "meetings"):
        await given.execute(f"DELETE FROM {table}")
    plane.kube.installation = plane.installation
    for _ in range(3):
        await plane.tick(after=100)
    assert plane.kube.writes == []
    assert ("bots", bot.job_name) in plane.kube.jobs
