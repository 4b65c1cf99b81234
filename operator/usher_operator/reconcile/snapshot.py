"""What the API server says at the start of a sweep. What could not be read is None, and None is evidence of nothing.

Jobs and pods that succeeded are not listed, nor BotRequests that show the end: after a busy hour they are nearly all
there is, and of interest only where the row lives on. What such a row misses in the lists is asked for by name.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from usher_models.db.bots import Bot
from usher_models.errors import KubernetesUnavailable
from usher_operator.kube.botrequest import BotRequest
from usher_operator.kube.job_status import labels_of
from usher_operator.kube.port import Json, KubePort

logger = logging.getLogger(__name__)

AT_ONCE = 8
JOB_NAME_LABEL = "batch.kubernetes.io/job-name"


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Every BotRequest, Job and pod of the served namespaces but those that are over and have no live row.
    Jobs and pods are known by (namespace, Job name)."""

    requests: list[BotRequest] = field(default_factory=list)
    jobs: dict[tuple[str, str], Json] = field(default_factory=dict)
    pods: dict[tuple[str, str], Json] = field(default_factory=dict)

    @property
    def request_uids(self) -> frozenset[str]:
        """The UIDs of those BotRequests."""
        return frozenset(request.uid for request in self.requests)


async def take(kube: KubePort, namespaces: tuple[str, ...], live: Sequence[Bot]) -> Snapshot | None:
    """The whole picture, or None when any part of it could not be read. `live` was read before."""
    try:
        parts = await asyncio.gather(*(_take_one(kube, namespace) for namespace in namespaces))
        taken = Snapshot(
            requests=[request for part in parts for request in part.requests],
            jobs={key: job for part in parts for key, job in part.jobs.items()},
            pods={key: pod for part in parts for key, pod in part.pods.items()},
        )
        await _add_unlisted(kube, taken, [bot for bot in live if bot.request_namespace in namespaces])
    except KubernetesUnavailable as exc:
        logger.warning(
            "The API server cannot be read; this sweep judges by silence alone: %s",
            exc,
            extra={"action": "snapshot_failed"},
        )
        return None
    return taken


async def _add_unlisted(kube: KubePort, taken: Snapshot, live: Sequence[Bot]) -> None:
    slots = asyncio.Semaphore(AT_ONCE)

    async def one_request(bot: Bot) -> None:
        async with slots:
            request = await kube.get_request(bot.request_namespace or "", bot.request_name or "")
        if request is not None:
            taken.requests.append(request)

    async def one_job(key: tuple[str, str]) -> None:
        async with slots:
            job = await kube.get_job(*key)
            pods = await kube.list_pods(key[0], job_name=key[1])
        if job is not None:
            taken.jobs[key] = job
        if pods:
            taken.pods[key] = pods[0]

    keys = {(bot.request_namespace or "", bot.job_name) for bot in live if bot.job_created_at is not None}
    listed = taken.request_uids
    unlisted = [bot for bot in live if bot.request_uid and bot.request_uid not in listed]
    await asyncio.gather(*map(one_job, keys - taken.jobs.keys()), *map(one_request, unlisted))


async def _take_one(kube: KubePort, namespace: str) -> Snapshot:
    requests, jobs, pods = await asyncio.gather(
        kube.list_requests(namespace, ended=False),
        kube.list_jobs(namespace, succeeded=False),
        kube.list_pods(namespace, succeeded=False),
    )
    return Snapshot(
        requests=requests,
        jobs={(namespace, job["metadata"]["name"]): job for job in jobs},
        pods={(namespace, labels_of(pod).get(JOB_NAME_LABEL, "")): pod for pod in pods},
    )
