"""Ending meetings. Every end of a meeting, whoever decides it, is moved, counted and logged here, in that order."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db import external_ends, transitions
from usher_models.db.bots import Bot, BotSummary
from usher_models.db.engine import Database
from usher_models.db.leader_lock import Fence
from usher_models.db.transitions import Applied, Closing, Moved, Report
from usher_models.outcomes import Party
from usher_models.states import TERMINAL, Reason, Source, Status
from usher_operator.kube.api_budget import ApiBudget
from usher_operator.kube.evidence import last_words
from usher_operator.kube.port import Json, KubePort
from usher_operator.lifecycle.evidence.collector import EvidenceKeeper
from usher_operator.telemetry import REPAIRS, SLO_ATTEMPTS, SLO_JOINED, SLO_LOST, TRANSITIONS

logger = logging.getLogger(__name__)

FOLLOWED_AT_ONCE = 1000


class Ends:
    """Moves rows to their end. Every method raises DatabaseUnavailable.

    With the leader lock as `fence`, those of the reconciler also raise NotLeading: the process may have been stopped
    between deciding and acting, and another may lead meanwhile.
    """

    def __init__(self, database: Database, *, fence: Fence) -> None:
        self._database = database
        self._fence = fence

    @asynccontextmanager
    async def fenced(self) -> AsyncIterator[AsyncConnection]:
        """A transaction in which this process may write."""
        async with self._database.transaction() as connection:
            await self._fence.confirm(connection)
            yield connection

    async def close(
        self,
        closings: Sequence[Closing],
        *,
        target: Status,
        source: Source,
        guard: str = "true",
        guard_values: dict[str, Any] | None = None,
    ) -> list[Moved]:
        """End those that still meet `guard`; the ones that were ended."""
        async with self.fenced() as connection:
            moved = await transitions.close_many(
                connection, closings, target=target, source=source, guard=guard, guard_values=guard_values
            )
        for each in moved:
            _record(each, target=target, source=source, origin=each.origin)
        return moved

    async def reservation(
        self, bot: BotSummary, *, target: Status, source: Source, reason: str, message: str | None = None
    ) -> bool:
        """End a reservation whose bot never existed; True if it was there to end."""
        async with self.fenced() as connection:
            ended = await transitions.move_reserved(
                connection, bot.connection_id, target=target, source=source, reason=reason, message=message
            )
        if ended is not None:
            _record(ended, target=target, source=source, origin=Status.RESERVED)
        return ended is not None

    async def unstarted(self, bot: BotSummary, *, message: str | None = None) -> None:
        """Complete a reservation that is not wanted any more and has no Job."""
        await self.reservation(
            bot,
            target=Status.COMPLETED,
            source=Source.OPERATOR,
            reason=Reason.STOPPED_BEFORE_START,
            message=message,
        )

    async def follow(self) -> list[Moved]:
        """End Usher's side of meetings that another program ended or deleted; the ones ended."""
        async with self.fenced() as connection:
            followed = await external_ends.follow(connection, limit=FOLLOWED_AT_ONCE)
        for each in followed:
            _record(each, target=Status(each.target), source=Source.EXTERNAL, origin=each.origin)
        return list(followed)

    async def report(self, told: Report) -> Applied:
        """Apply what a bot reports of itself, which may be its end. Raises what `transitions.report` raises."""
        async with self._database.at_once() as connection:
            applied = await transitions.report(connection, told)
        if applied.applied:
            _record(applied.bot, target=told.target, source=Source.BOT)
        return applied


def _record(moved: Moved | Bot, *, target: Status, source: Source, origin: str | None = None) -> None:
    """Count and log a move; `moved` is the meeting after it."""
    TRANSITIONS.labels(target=target, source=source, reason=moved.reason).inc()
    if target in TERMINAL:
        _count_end(moved, target)
        logger.log(
            logging.WARNING if target is Status.FAILED else logging.INFO,
            "Meeting %d is %s: %s.",
            moved.meeting_id,
            target,
            moved.reason,
            extra={
                "action": "meeting_ended",
                "meeting_id": moved.meeting_id,
                "source": source,
                "reason": moved.reason,
                "from": origin,
            },
        )


def _count_end(ended: Moved | Bot, target: Status) -> None:
    """Count an end for the service level; what it means stands in docs/reference/service-level.md."""
    SLO_ATTEMPTS.labels(platform=ended.platform).inc()
    if ended.joined:
        SLO_JOINED.labels(platform=ended.platform).inc()
    if target is Status.FAILED:
        SLO_LOST.labels(platform=ended.platform, fault=ended.fault or Party.BOT).inc()


class Closer:
    """Ends meetings for the reconciler and the watch, and deletes the Jobs that still run."""

    def __init__(self, *, ends: Ends, kube: KubePort, evidence: EvidenceKeeper) -> None:
        self.ends = ends
        self.evidence = evidence
        self._kube = kube

    async def close(
        self,
        closings: Sequence[Closing],
        *,
        mode: str,
        target: Status,
        source: Source,
        api: ApiBudget,
        guard: str = "true",
        guard_values: dict[str, Any] | None = None,
        keep_jobs: bool = False,
    ) -> list[Moved]:
        """End those that still meet `guard`, and delete their Jobs. Raises DatabaseUnavailable and NotLeading.

        `keep_jobs`: they have finished, and stay until their TTL for the sake of their logs. A Job that cannot be
        deleted now is an orphan, which a later sweep deletes.
        """
        if not closings:
            return []
        moved = await self.ends.close(closings, target=target, source=source, guard=guard, guard_values=guard_values)
        REPAIRS.labels(mode=mode).inc(len(moved))
        if not keep_jobs:
            await self._keep_evidence(moved, target)
            await self.delete_jobs([(each.namespace or "", each.job_name) for each in moved], api)
        return moved

    async def _keep_evidence(self, moved: Sequence[Moved], target: Status) -> None:
        if target is Status.FAILED:
            await self.evidence.keep([each.meeting_id for each in moved])

    async def follow(self, *, mode: str, api: ApiBudget) -> None:
        """End Usher's side of meetings that others ended. Raises DatabaseUnavailable and NotLeading."""
        moved = await self.ends.follow()
        REPAIRS.labels(mode=mode).inc(len(moved))
        await self._keep_evidence(moved, Status.FAILED)
        await self.delete_jobs([(each.namespace or "", each.job_name) for each in moved], api)

    async def delete_jobs(self, keys: Sequence[tuple[str, str]], api: ApiBudget) -> None:
        """Delete Jobs, best effort. Raises DatabaseUnavailable and NotLeading."""
        if not keys:
            return
        async with self.ends.fenced():
            pass
        await api.gather(
            *(api.call(namespace, partial(self._kube.delete_job, namespace, name)) for namespace, name in keys)
        )

    async def last_words(self, bot: BotSummary, pod: Json | None, api: ApiBudget) -> dict[str, Any]:
        """What the bot's pod left behind; without a pod, the Events of its Job, which say why there is none."""
        namespace = bot.request_namespace or ""
        name = pod["metadata"]["name"] if pod else bot.job_name
        events = await api.call(namespace, partial(self._kube.pod_events, namespace, name)) or []
        return last_words(pod, events)

    async def log_tail(self, bot: BotSummary, pod: Json | None, api: ApiBudget) -> str | None:
        """The last lines that the bot's container logged, if they can be read."""
        if pod is None:
            return None
        namespace = bot.request_namespace or ""
        return await api.call(namespace, partial(self._kube.pod_log, namespace, pod["metadata"]["name"]))
