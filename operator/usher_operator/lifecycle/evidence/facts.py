"""Reading what Kubernetes still knows of a bot that failed: its Job, pods, Events and last log lines.

Every read is by itself and has its own timeout. What cannot be read is said, and keeps nothing else from being read.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from usher_models.db.bots import BotSummary
from usher_models.errors import KubernetesUnavailable
from usher_operator.kube.job_status import connection_id_of
from usher_operator.kube.port import Json, KubePort

READ_TIMEOUT_S = 5.0
# A Job has one pod, and another only if Kubernetes replaced it.
MOST_PODS = 3
MOST_LOGS = 12
LOG_LINES = 200
# The API server cuts a log at its end, where the cause stands: what is too long is asked for again with fewer lines.
FEWER_LINES = (LOG_LINES, 20, 2)
LOG_BYTES = 65_536

Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True)
class Log:
    """The last lines of one container. `previous`: of the run before its last restart."""

    pod: str
    container: str
    previous: bool
    text: str
    whole: bool = True
    """False if the newest lines may be missing, because even two of them are too long."""


@dataclass(kw_only=True)
class Facts:
    """What Kubernetes said. `unread`: what could not be read, and why."""

    job: Json | None = None
    pods: list[Json] = field(default_factory=list)
    events: list[Json] = field(default_factory=list)
    logs: list[Log] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def merged(old: Facts | None, new: Facts) -> Facts:
    """The newer facts; what is gone meanwhile as it was."""
    if old is None or new.pods:
        return new
    return Facts(
        job=new.job or old.job,
        pods=old.pods,
        events=new.events or old.events,
        logs=old.logs,
        unread=list(dict.fromkeys(old.unread + new.unread)),
    )


class Reader:
    """Reads the facts of one bot."""

    def __init__(self, kube: KubePort, bot: BotSummary) -> None:
        self._kube = kube
        self._bot = bot
        self._namespace = bot.request_namespace or ""
        self.facts = Facts()

    async def read(self) -> Facts:
        """The facts, as far as they can be read. It raises nothing of Kubernetes."""
        name = self._bot.job_name
        job = await self._try("the Job", partial(self._kube.get_job, self._namespace, name))
        self.facts.job = job if job is not None and self._is_of_bot(job) else None
        await self._read_events(name)
        pods = await self._try("the pods", partial(self._kube.list_pods, self._namespace, job_name=name)) or []
        self.facts.pods = [pod for pod in pods if self._is_of_bot(pod)][-MOST_PODS:]
        for pod in self.facts.pods:
            await self._read_events(pod["metadata"]["name"])
        for pod_name, container, previous in list(_logs(self.facts.pods))[:MOST_LOGS]:
            await self._read_log(pod_name, container, previous=previous)
        return self.facts

    def _is_of_bot(self, body: Json) -> bool:
        """A Job of that name may have been another database's."""
        return connection_id_of(body) in (None, self._bot.connection_id)

    async def _read_events(self, name: str) -> None:
        events = await self._try(f"the Events of {name}", partial(self._kube.pod_events, self._namespace, name))
        self.facts.events += [event | {"about": name} for event in events or []]

    async def _read_log(self, pod: str, container: str, *, previous: bool) -> None:
        what = f"the log of {container} in {pod}{' before its restart' if previous else ''}"
        for lines in FEWER_LINES:
            read = partial(
                self._kube.pod_log,
                self._namespace,
                pod,
                container=container,
                lines=lines,
                limit_bytes=LOG_BYTES,
                previous=previous,
            )
            text = await self._try(what, read)
            if text is None:
                return
            whole = len(text.encode()) < LOG_BYTES
            if whole or lines == FEWER_LINES[-1]:
                self.facts.logs.append(Log(pod=pod, container=container, previous=previous, text=text, whole=whole))
                return

    async def _try(self, what: str, read: Callable[[], Awaitable[Answer]]) -> Answer | None:
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                return await read()
        except (KubernetesUnavailable, TimeoutError) as exc:
            self.facts.unread.append(f"{what}: {str(exc) or 'no answer in time'}")
            return None


def _logs(pods: list[Json]) -> Iterator[tuple[str, str, bool]]:
    """Which logs there are: of containers that ran, and of their runs before a restart. The bot's own come first."""
    for kind in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for pod in pods:
            for status in (pod.get("status") or {}).get(kind) or []:
                name, state = str(status.get("name")), status.get("state") or {}
                if {"running", "terminated"} & state.keys():
                    yield pod["metadata"]["name"], name, False
                if (status.get("lastState") or {}).get("terminated"):
                    yield pod["metadata"]["name"], name, True
