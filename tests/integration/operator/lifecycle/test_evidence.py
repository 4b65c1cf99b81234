"""What is known of a meeting that failed is kept, before anything of it is deleted, and without a secret."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.fakes.objects import DEADLINE, disrupted, terminated
from tests.integration.operator.plane import Plane
from tests.scenario import Scenario
from usher_models.db import bots, evidence
from usher_models.db.bots import Bot, Transition
from usher_models.errors import KubernetesUnavailable
from usher_models.states import Reason, Source, Stage, Status
from usher_operator.lifecycle.evidence import collector
from usher_operator.lifecycle.evidence.collector import PATIENCE_S, RETRY_S
from usher_operator.lifecycle.evidence.size import BUNDLE_MAX_BYTES

Json = dict[str, Any]

PASSCODE, LINK_SECRET = "pa55-Code", "l1nkS3cr3t"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJib3QifQ.c2lnbmF0dXJl"


async def bundle_of(given: Scenario, bot: Bot) -> Json | None:
    async with given.database.reading() as connection:
        found = await evidence.read(connection, bot.meeting_id)
    return found.bundle if found else None


async def kept(given: Scenario, bot: Bot) -> Json:
    bundle = await bundle_of(given, bot)
    assert bundle is not None
    return bundle


def with_log(plane: Plane, bot: Bot, text: str) -> None:
    plane.kube.logs_of_pods[plane.kube.pods["bots", bot.job_name]["metadata"]["name"]] = text


async def silent(given: Scenario) -> Bot:
    return (
        await given.a_bot()
        .with_job()
        .starting()
        .in_stage(Stage.LOBBY)
        .active()
        .in_stage(Stage.IN_MEETING)
        .beating()
        .waited(130)
    )


async def waits(given: Scenario, bot: Bot, seconds: float) -> None:
    """That many seconds pass for the evidence."""
    await given.execute(
        "UPDATE usher.evidence SET failed_at = failed_at - make_interval(secs => :ago),"
        " try_after = try_after - make_interval(secs => :ago) WHERE meeting_id = :id",
        ago=seconds,
        id=bot.meeting_id,
    )


async def test_a_silent_bot_leaves_its_evidence_before_its_job_is_deleted(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await silent(given), pod={"conditions": [{"type": "Ready", "status": "False"}]})
    with_log(plane, bot, "joined\nthe page hangs\n")
    plane.kube.events_of_pods[bot.job_name] = [{"type": "Normal", "reason": "SuccessfulCreate", "message": "made"}]
    await plane.tick()
    assert ("bots", bot.job_name) not in plane.kube.jobs
    bundle = await kept(given, bot)
    assert bundle["end"]["decided_by"] | {"text": ""} == {
        "rule": "heartbeat_lost",
        "text": "",
        "setting": "USHER_HEARTBEAT_TIMEOUT_S",
        "limit_s": 120.0,
    }
    assert [each["stage"] for each in bundle["stages"]] == ["scheduling", "lobby", "in_meeting"]
    assert 129 < bundle["heartbeat"]["silence_s"] < 140
    assert [log["text"] for log in bundle["logs"]] == ["joined\nthe page hangs\n"]
    assert bundle["pods"][0]["node_ready"] is False
    assert bundle["job"]["deleted_at"] is None
    assert [event["reason"] for event in bundle["events"]] == ["SuccessfulCreate"]
    assert (bundle["unread"], bundle["cut"]) == ([], [])


async def test_a_bot_that_reports_its_failure_leaves_its_evidence_too(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(
        await given.a_bot().with_job().starting().failed(reason="admission_denied"), pod={"state": terminated(3)}
    )
    with_log(plane, bot, "the host said no\n")
    assert await plane.evidence.collect_due() == 1
    bundle = await kept(given, bot)
    assert (bundle["end"]["source"], bundle["end"]["decided_by"]["rule"]) == ("bot", "exited")
    assert bundle["end"]["fault"] == "host"
    assert bundle["pods"][0]["containers"][0]["state"]["terminated"]["exitCode"] == 3
    assert await plane.evidence.collect_due() == 0


async def test_nothing_is_asked_about_a_bot_that_ended_well(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().active().completed())
    assert await plane.evidence.collect_due() == 0
    assert plane.kube.reads == 0
    assert await bundle_of(given, bot) is None


PLANTED = f"""
joining https://zoom.us/j/85123456789?pwd={LINK_SECRET}&x=1 with {PASSCODE}
Authorization: Bearer abcdefghijklmnop
callback token {JWT}
redis://bot-7:r3d1sPassw0rd@redis:6379/0
{{"passcode": "{PASSCODE}", "apiKey": "vxa_0123456789abcdefghij"}}
"""


async def test_no_secret_is_in_a_bundle(plane: Plane, given: Scenario) -> None:
    """Planted everywhere: in logs, Events, the termination message, and what the bot and Kubernetes said of the end."""
    config = {"passcode": PASSCODE, "meeting_url": f"https://zoom.us/j/85123456789?pwd={LINK_SECRET}"}
    reserved = await given.a_bot(config=config).with_job().starting()
    bot = plane.in_kubernetes(
        await given.fresh(reserved),
        pod={"state": terminated(1, message=PLANTED), "conditions": [disrupted("x") | {"message": PLANTED}]},
    )
    with_log(plane, bot, PLANTED)
    pod_name = plane.kube.pods["bots", bot.job_name]["metadata"]["name"]
    plane.kube.events_of_pods[pod_name] = [{"type": "Warning", "reason": "Failed", "message": PLANTED}]
    plane.kube.finish(bot.job_name, condition=DEADLINE | {"message": PLANTED})
    plane.kube.run_pod(bot.job_name, state=terminated(1, message=PLANTED))
    await plane.tick()
    assert await plane.evidence.collect_due() == 1
    text = json.dumps(await kept(given, bot))
    secrets = (PASSCODE, LINK_SECRET, JWT, "r3d1sPassw0rd", "abcdefghijklmnop", "vxa_0123456789abcdefghij")
    assert [secret for secret in secrets if secret in text] == []
    assert text.count("***") > 10


async def test_a_bundle_is_bounded_and_says_what_was_cut(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(
        await given.a_bot().with_job().starting().failed(), pod={"state": terminated(1, message="\u2028" * 4000)}
    )
    with_log(plane, bot, "\n".join(f"{number} " + "\u2192" * 300 for number in range(500)))
    await plane.evidence.collect_due()
    bundle = await kept(given, bot)
    assert len(json.dumps(bundle)) <= BUNDLE_MAX_BYTES
    assert bundle["cut"]


async def test_what_cannot_be_read_is_tried_again_and_then_said(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().starting().failed(), pod={"state": terminated(1)})
    plane.kube.fail("pod_log", KubernetesUnavailable("the kubelet does not answer"))
    await plane.evidence.collect_due()
    assert await bundle_of(given, bot) is None
    assert await plane.evidence.collect_due() == 0
    plane.kube.away = True
    await waits(given, bot, RETRY_S + PATIENCE_S)
    await plane.evidence.collect_due()
    bundle = await kept(given, bot)
    assert bundle["unread"][0].endswith("the kubelet does not answer")
    assert [pod["name"] for pod in bundle["pods"]] == [f"{bot.job_name}-abcde"]


async def test_an_end_neither_waits_for_a_slow_api_server_nor_fails_by_it(
    plane: Plane, given: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "DELETION_LIMIT_S", 0.05)
    bot = plane.in_kubernetes(await silent(given))

    async def hanging(_namespace: str, _name: str) -> None:
        await asyncio.sleep(60)

    plane.kube.get_job = hanging  # type: ignore[method-assign,assignment]
    await plane.tick()
    assert (await given.fresh(bot)).status is Status.FAILED
    assert ("bots", bot.job_name) not in plane.kube.jobs
    reads = plane.kube.reads
    await plane.evidence.keep([bot.meeting_id])
    assert plane.kube.reads == reads, "the next Jobs do not wait"


async def test_a_bot_whose_job_was_deleted_because_it_did_not_leave_is_remembered(
    plane: Plane, given: Scenario
) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().active().asked_to_leave().waited(70).beating())
    with_log(plane, bot, "I stay\n")
    await plane.tick()
    assert ("bots", bot.job_name) not in plane.kube.jobs
    plane.kube.pod_gone(bot.job_name)
    await plane.tick()
    await plane.tick(after=60)
    assert (await given.fresh(bot)).reason == Reason.LEAVE_IGNORED
    bundle = await kept(given, bot)
    assert [log["text"] for log in bundle["logs"]] == ["I stay\n"]
    assert bundle["end"]["decided_by"]["rule"] == "missing_job"


async def test_a_job_of_another_database_says_nothing_about_the_bot(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().starting().failed())
    for found in (plane.kube.jobs, plane.kube.pods):
        found["bots", bot.job_name]["metadata"]["annotations"] = {"usher.dev/connection-id": "another"}
    await plane.evidence.collect_due()
    bundle = await kept(given, bot)
    assert (bundle["job"], bundle["pods"], bundle["logs"]) == (None, [], [])


async def test_what_another_program_failed_has_evidence(plane: Plane, given: Scenario) -> None:
    bot = plane.in_kubernetes(await given.a_bot().with_job().active())
    await given.execute("UPDATE meetings SET status = 'failed' WHERE id = :id", id=bot.meeting_id)
    await plane.tick()
    bundle = await kept(given, bot)
    assert bundle["end"]["decided_by"]["rule"] == "external_end"
    assert bundle["job"] is not None


async def test_only_the_leader_collects(plane: Plane, given: Scenario) -> None:
    plane.in_kubernetes(await given.a_bot().with_job().active().failed(by=Source.RECONCILER))

    class Follows:
        leads = False

    plane.evidence._fence = Follows()  # type: ignore[assignment]
    assert await plane.evidence._collect_if_leading() is None
    assert plane.kube.reads == 0


async def test_one_that_cannot_be_collected_does_not_stand_in_the_way_of_others(
    plane: Plane, given: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = plane.in_kubernetes(await given.a_bot().with_job().starting().failed().waited(5))
    other = plane.in_kubernetes(await given.a_bot().with_job().starting().failed())
    transitions = bots.transitions

    async def broken(connection: AsyncConnection, meeting_id: int) -> list[Transition]:
        if meeting_id == poison.meeting_id:
            raise ValueError
        return await transitions(connection, meeting_id)

    monkeypatch.setattr(bots, "transitions", broken)
    assert [await plane.evidence.collect_due() for _ in range(2)] == [2, 0]
    assert await bundle_of(given, poison) is None
    assert await bundle_of(given, other) is not None
