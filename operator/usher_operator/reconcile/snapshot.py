"""What the API server says at the start of a sweep, namespace by namespace. What could not be read is evidence of
nothing: neither of a namespace whose lists failed, nor of one that is not served.

Jobs and pods that succeeded are not listed, nor BotRequests that show the end: after a busy hour they are nearly all
there is, and they matter only where the row lives on. What such a row lacks in the lists is asked for by name.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from usher_models.db.bots import BotSummary
from usher_models.errors import KubernetesUnavailable
from usher_operator.kube.botrequest import BotRequest
from usher_operator.kube.job_status import is_foreign, labels_of
from usher_operator.kube.port import Json, KubePort

logger = logging.getLogger(__name__)

AT_ONCE = 8
# All lists of a namespace, and all lookups by name, may take this long.
LIST_TIMEOUT_S = 60.0
LOOKUP_TIMEOUT_S = 20.0
JOB_NAME_LABEL = "batch.kubernetes.io/job-name"

Key = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Every BotRequest, Job and pod of the `namespaces` that could be listed but those that are over and have no live
    row. Jobs and pods are known by (namespace, Job name). `unknown`: meetings whose own objects could not be read."""

    namespaces: frozenset[str] = frozenset()
    requests: list[BotRequest] = field(default_factory=list)
    jobs: dict[Key, Json] = field(default_factory=dict)
    pods: dict[Key, Json] = field(default_factory=dict)
    unknown: frozenset[int] = frozenset()

    @property
    def request_uids(self) -> frozenset[str]:
        """The UIDs of those BotRequests."""
        return frozenset(request.uid for request in self.requests)

    def covers(self, bot: BotSummary) -> bool:
        """True if the absence of the bot's objects means that they do not exist."""
        return bot.request_namespace in self.namespaces and bot.meeting_id not in self.unknown


async def take(
    kube: KubePort, namespaces: tuple[str, ...], live: Sequence[BotSummary], *, installation: str
) -> Snapshot:
    """What can be read of `namespaces`, without what other installations own. `live` was read before."""
    parts = [
        part
        for part in await asyncio.gather(*(_take_one(kube, namespace, installation) for namespace in namespaces))
        if part is not None
    ]
    taken = Snapshot(
        namespaces=frozenset().union(*(part.namespaces for part in parts)),
        requests=[request for part in parts for request in part.requests],
        jobs={key: job for part in parts for key, job in part.jobs.items()},
        pods={key: pod for part in parts for key, pod in part.pods.items()},
    )
    served = [bot for bot in live if bot.request_namespace in taken.namespaces]
    return await _add_unlisted(kube, taken, served, installation=installation)


async def _take_one(kube: KubePort, namespace: str, installation: str) -> Snapshot | None:
    try:
        async with asyncio.timeout(LIST_TIMEOUT_S):
            requests, jobs, pods = await asyncio.gather(
                kube.list_requests(namespace, ended=False),
                kube.list_jobs(namespace, succeeded=False),
                kube.list_pods(namespace, succeeded=False),
            )
    except (KubernetesUnavailable, TimeoutError) as exc:
        logger.warning(
            "Namespace %s cannot be read; only the stale rules apply to its bots in this sweep: %s",
            namespace,
            str(exc) or "no answer in time",
            extra={"action": "snapshot_failed", "namespace": namespace},
        )
        return None
    return Snapshot(
        namespaces=frozenset({namespace}),
        requests=requests,
        jobs={(namespace, job["metadata"]["name"]): job for job in jobs if not is_foreign(job, installation)},
        pods={
            (namespace, labels_of(pod).get(JOB_NAME_LABEL, "")): pod
            for pod in pods
            if not is_foreign(pod, installation)
        },
    )


async def _add_unlisted(kube: KubePort, taken: Snapshot, live: Sequence[BotSummary], *, installation: str) -> Snapshot:
    """With what the live rows lack in the lists; a bot whose objects cannot be asked for now is unknown."""
    listed, slots, unknown = taken.request_uids, asyncio.Semaphore(AT_ONCE), set[int]()
    lacking = [bot for bot in live if _lacks_job(bot, taken) or _lacks_request(bot, listed)]
    ends_at = asyncio.get_running_loop().time() + LOOKUP_TIMEOUT_S

    async def look_up(bot: BotSummary) -> None:
        try:
            async with asyncio.timeout_at(ends_at), slots:
                await _look_up(kube, taken, bot, installation=installation)
        except (KubernetesUnavailable, TimeoutError):
            unknown.add(bot.meeting_id)

    await asyncio.gather(*map(look_up, lacking))
    if unknown:
        logger.warning(
            "The objects of %d bots could not be asked for.", len(unknown), extra={"action": "lookups_failed"}
        )
    return replace(taken, unknown=frozenset(unknown))


def _lacks_job(bot: BotSummary, taken: Snapshot) -> bool:
    return bot.job_created_at is not None and (bot.request_namespace, bot.job_name) not in taken.jobs


def _lacks_request(bot: BotSummary, listed: frozenset[str]) -> bool:
    return bool(bot.request_uid) and bot.request_uid not in listed


async def _look_up(kube: KubePort, taken: Snapshot, bot: BotSummary, *, installation: str) -> None:
    namespace = bot.request_namespace or ""
    if _lacks_request(bot, taken.request_uids):
        request = await kube.get_request(namespace, bot.request_name or "")
        if request is not None:
            taken.requests.append(request)
    if _lacks_job(bot, taken):
        job = await kube.get_job(namespace, bot.job_name)
        pods = await kube.list_pods(namespace, job_name=bot.job_name)
        if job is not None and not is_foreign(job, installation):
            taken.jobs[namespace, bot.job_name] = job
        if pods and not is_foreign(pods[0], installation):
            taken.pods[namespace, bot.job_name] = pods[0]
