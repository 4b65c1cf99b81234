"""Who terminated a bot is read from Kubernetes while the bot reports, in bounded time."""

import asyncio
from typing import Any

import pytest

from tests.fakes.bots import a_bot_row
from tests.fakes.kube import FakeKube
from tests.fakes.objects import a_botrequest, a_job, a_pod, disrupted, running
from usher_operator.lifecycle import termination
from usher_operator.lifecycle.termination import Termination

BOT = a_bot_row(pod_uid="pod-uid")


def a_cluster(*, job: bool = True, request: bool = True, **pod: Any) -> FakeKube:
    kube = FakeKube()
    if job:
        kube.jobs["bots", "bot-1"] = a_job(1)
    if request:
        kube.apply(a_botrequest("standup"))
    kube.pods["bots", "bot-1"] = a_pod("bot-1", state=running(), **{"deleting": True} | pod)
    return kube


@pytest.mark.parametrize(
    ("kube", "reason"),
    [
        (a_cluster(conditions=[disrupted("EvictionByEvictionAPI")]), "evicted"),
        (a_cluster(), "pod_deleted"),
        (a_cluster(job=False), "job_deleted"),
        (a_cluster(job=False, request=False), "request_deleted"),
        (a_cluster(deleting=False), None),
    ],
)
async def test_kubernetes_says_who_terminated_a_bot(kube: FakeKube, reason: str | None) -> None:
    assert await Termination(kube).reason(BOT) == reason


async def test_a_request_that_was_made_again_under_its_name_is_another() -> None:
    kube = a_cluster(job=False, request=False)
    kube.apply(a_botrequest("standup", uid="another"))
    assert await Termination(kube).reason(BOT) == "request_deleted"


async def test_a_request_that_is_being_deleted_is_as_good_as_gone() -> None:
    kube = a_cluster(job=False, request=False)
    body = a_botrequest("standup")
    body["metadata"]["deletionTimestamp"] = "2026-11-30T00:00:00Z"
    kube.apply(body)
    assert await Termination(kube).reason(BOT) == "request_deleted"


async def test_an_api_server_that_is_away_leaves_it_unknown() -> None:
    kube = a_cluster()
    kube.away = True
    assert await Termination(kube).reason(BOT) is None


async def test_an_api_server_that_hangs_does_not_keep_the_bot_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging(FakeKube):
        async def list_pods(self, namespace: str, **_: Any) -> list[dict[str, Any]]:
            await asyncio.sleep(3600)
            return []

    monkeypatch.setattr(termination, "TIMEOUT_S", 0.05)
    assert await Termination(Hanging()).reason(BOT) is None
