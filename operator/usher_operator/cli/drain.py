"""`usher drain`: before Usher is removed, no new bot starts, every bot leaves and says so, and every row is closed.

Taking away the right to create Jobs and BotRequests stops new bots at the API server, whoever asks for them.
Withdrawing every BotRequest that has not ended does the rest: Kubernetes ends the Jobs, the bots report to serve, and
operate closes what could not be reported. So both must still run. It ends in bounded time, whatever is away. Ended
BotRequests are their owners' to keep, and finished Jobs go with their TTL.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from usher_models.db import bots
from usher_models.db.engine import Database
from usher_models.errors import Unavailable
from usher_models.states import TERMINAL
from usher_operator.kube.botrequest import BotRequest
from usher_operator.kube.job_status import finished
from usher_operator.kube.port import Json

INTERVAL_S = 2.0


class DrainPort(Protocol):
    """What of Kubernetes a drain needs."""

    async def list_requests(self, namespace: str) -> list[BotRequest]:
        """Every BotRequest."""

    async def list_jobs(self, namespace: str) -> list[Json]:
        """Every Job that Usher made."""

    async def list_pods(self, namespace: str) -> list[Json]:
        """Every pod of Usher's Jobs."""

    async def delete_request(self, namespace: str, name: str, *, uid: str | None) -> bool:
        """Delete a BotRequest."""

    async def revoke(self, namespace: str, role_binding: str) -> bool:
        """Delete a RoleBinding."""


@dataclass(frozen=True, kw_only=True)
class Left:
    """What is still there, by number."""

    requests: int
    jobs: int
    pods: int
    rows: int

    def __bool__(self) -> bool:
        return any((self.requests, self.jobs, self.pods, self.rows))

    def __str__(self) -> str:
        return f"{self.requests} BotRequests, {self.jobs} Jobs, {self.pods} pods and {self.rows} live meetings"


class Drain:
    """One drain of the bots' namespaces."""

    def __init__(
        self, *, database: Database, kube: DrainPort, namespaces: tuple[str, ...], say: Callable[[str], None]
    ) -> None:
        self._database = database
        self._kube = kube
        self._namespaces = namespaces
        self._say = say

    async def run(
        self,
        *,
        revoking: tuple[str, ...],
        timeout_s: float,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> bool:
        """Drain for at most `timeout_s` seconds; whether nothing is left."""
        deadline, said = clock() + timeout_s, ""
        while True:
            try:
                left = await self._round(revoking)
                told = f"{left} are left." if left else "Nothing is left."
                done = not left
            except Unavailable as exc:
                told, done = f"Trying again: {exc}", False
            if told != said:
                self._say(told)
            said = told
            if done or clock() + INTERVAL_S > deadline:
                return done
            await sleep(INTERVAL_S)

    async def _round(self, revoking: tuple[str, ...]) -> Left:
        counts = [await self._drain_namespace(namespace, revoking) for namespace in self._namespaces]
        async with self._database.reading() as connection:
            live = await bots.live_bots(connection)
        rows = sum(bot.request_namespace in self._namespaces for bot in live)
        requests, jobs, pods = (sum(column) for column in zip(*counts, strict=True))
        return Left(requests=requests, jobs=jobs, pods=pods, rows=rows)

    async def _drain_namespace(self, namespace: str, revoking: tuple[str, ...]) -> tuple[int, int, int]:
        for role_binding in revoking:
            await self._kube.revoke(namespace, role_binding)
        requests = [request for request in await self._kube.list_requests(namespace) if not _is_over(request)]
        for request in requests:
            await self._kube.delete_request(namespace, request.name, uid=request.uid)
        jobs = [job for job in await self._kube.list_jobs(namespace) if not finished(job)]
        pods = [pod for pod in await self._kube.list_pods(namespace) if not _has_ended(pod)]
        return len(requests), len(jobs), len(pods)


def _is_over(request: BotRequest) -> bool:
    return request.refused or request.phase in TERMINAL


def _has_ended(pod: Json) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
