"""Ending meetings. Every end of a meeting, whoever decides it, is moved, counted and logged here, in that order."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db import transitions
from usher_models.db.bots import Bot
from usher_models.db.engine import Database
from usher_models.db.leader_lock import Fence
from usher_models.db.transitions import Applied, Closing, Moved, Report
from usher_models.errors import KubernetesUnavailable
from usher_models.states import TERMINAL, Reason, Source, Status
from usher_operator.kube.evidence import last_words
from usher_operator.kube.port import Json, KubePort
from usher_operator.telemetry import REPAIRS, TRANSITIONS

logger = logging.getLogger(__name__)


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
            _record(each.meeting_id, target=target, source=source, reason=each.reason, origin=each.origin)
        return moved

    async def reservation(
        self, bot: Bot, *, target: Status, source: Source, reason: str, message: str | None = None
    ) -> bool:
        """End a reservation whose bot never existed; True if it was there to end."""
        async with self.fenced() as connection:
            ended = await transitions.move_reserved(
                connection, bot.connection_id, target=target, source=source, reason=reason, message=message
            )
        if ended:
            _record(bot.meeting_id, target=target, source=source, reason=reason, origin=Status.RESERVED)
        return ended

    async def unstarted(self, bot: Bot, *, message: str | None = None) -> None:
        """Complete a reservation that is not wanted any more and has no Job."""
        await self.reservation(
            bot,
            target=Status.COMPLETED,
            source=Source.OPERATOR,
            reason=Reason.STOPPED_BEFORE_START,
            message=message,
        )

    async def report(self, told: Report) -> Applied:
        """Apply what a bot reports of itself, which may be its end. Raises what `transitions.report` raises."""
        async with self._database.at_once() as connection:
            applied = await transitions.report(connection, told)
        if applied.applied:
            _record(applied.bot.meeting_id, target=told.target, source=Source.BOT, reason=told.reason)
        return applied


def _record(meeting_id: int, *, target: Status, source: Source, reason: str, origin: str | None = None) -> None:
    TRANSITIONS.labels(target=target, source=source, reason=reason).inc()
    if target in TERMINAL:
        logger.log(
            logging.WARNING if target is Status.FAILED else logging.INFO,
            "Meeting %d is %s: %s.",
            meeting_id,
            target,
            reason,
            extra={
                "action": "meeting_ended",
                "meeting_id": meeting_id,
                "source": source,
                "reason": reason,
                "from": origin,
            },
        )


class Closer:
    """Ends meetings for the reconciler and the watch, and deletes their Jobs."""

    def __init__(self, *, ends: Ends, kube: KubePort) -> None:
        self.ends = ends
        self._kube = kube

    async def close(
        self,
        closings: Sequence[Closing],
        *,
        mode: str,
        target: Status,
        source: Source,
        guard: str = "true",
        guard_values: dict[str, Any] | None = None,
    ) -> list[Moved]:
        """End those that still meet `guard`, and delete their Jobs. Raises DatabaseUnavailable and NotLeading.

        A Job that cannot be deleted now is an orphan, which the next sweep deletes.
        """
        if not closings:
            return []
        moved = await self.ends.close(closings, target=target, source=source, guard=guard, guard_values=guard_values)
        REPAIRS.labels(mode=mode).inc(len(moved))
        for each in moved:
            await self.delete_job(each.namespace, each.job_name)
        return moved

    async def delete_job(self, namespace: str | None, job_name: str) -> None:
        """Delete a Job, best effort. Raises DatabaseUnavailable and NotLeading."""
        async with self.ends.fenced():
            pass
        try:
            await self._kube.delete_job(namespace or "", job_name)
        except KubernetesUnavailable as exc:
            logger.warning(
                "A Job is deleted later: %s", exc, extra={"action": "job_deletion_postponed", "job": job_name}
            )

    async def last_words(self, bot: Bot, pod: Json | None) -> dict[str, Any]:
        """What the bot's pod left behind, with its Events if they can be read."""
        if pod is None:
            return {}
        try:
            events = await self._kube.pod_events(bot.request_namespace or "", pod["metadata"]["name"])
        except KubernetesUnavailable:
            events = []
        return last_words(pod, events)
