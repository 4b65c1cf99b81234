"""Ending meetings from outside: the guarded statement, then the Job, then the log. Shared by every failure mode."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db import transitions
from usher_models.db.bots import Bot
from usher_models.db.engine import Database
from usher_models.db.leader_lock import LeaderLock
from usher_models.db.transitions import Closing, Moved
from usher_models.errors import KubernetesUnavailable
from usher_models.states import Reason, Source, Status
from usher_operator.kube.evidence import last_words
from usher_operator.kube.port import Json, KubePort
from usher_operator.telemetry import REPAIRS, TRANSITIONS

logger = logging.getLogger(__name__)


class Closer:
    """Ends meetings for the reconciler.

    With a `fence`, nothing is written unless this process leads: it may have been stopped between deciding and acting,
    and another may have taken over meanwhile. Every method then also raises NotLeading.
    """

    def __init__(self, *, database: Database, kube: KubePort, fence: LeaderLock | None = None) -> None:
        self._database = database
        self._kube = kube
        self._fence = fence

    @asynccontextmanager
    async def _leading(self) -> AsyncIterator[AsyncConnection]:
        """A transaction of the leader. Raises NotLeading, DatabaseUnavailable."""
        async with self._database.transaction() as connection:
            if self._fence is not None:
                await self._fence.confirm(connection)
            yield connection

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
        """End those that still meet `guard`, and delete their Jobs. Raises DatabaseUnavailable.

        A Job that cannot be deleted now is an orphan, and the next sweep's.
        """
        if not closings:
            return []
        async with self._leading() as connection:
            moved = await transitions.close_many(
                connection, closings, target=target, source=source, guard=guard, guard_values=guard_values
            )
        for one in moved:
            REPAIRS.labels(mode=mode).inc()
            TRANSITIONS.labels(target=target, source=source, reason=one.reason).inc()
            logger.warning(
                "Ended meeting %d as %s: %s.",
                one.meeting_id,
                target,
                one.reason,
                extra={
                    "action": mode,
                    "meeting_id": one.meeting_id,
                    "connection_id": one.connection_id,
                    "reason": one.reason,
                    "from": one.origin,
                },
            )
            await self.delete_job(one.namespace, one.job_name)
        return moved

    async def end_unstarted(self, bot: Bot, *, message: str) -> None:
        """Complete a reservation that nobody wants any more and for which nothing runs. Raises DatabaseUnavailable."""
        reason, target, source = Reason.STOPPED_BEFORE_START, Status.COMPLETED, Source.OPERATOR
        async with self._leading() as connection:
            ended = await transitions.move_reserved(
                connection, bot.connection_id, target=target, source=source, reason=reason, message=message
            )
        if ended:
            TRANSITIONS.labels(target=target, source=source, reason=reason).inc()
            logger.info("%s", message, extra={"action": reason, "meeting_id": bot.meeting_id})

    async def delete_job(self, namespace: str | None, job_name: str) -> None:
        """Delete a Job, best effort."""
        if self._fence is not None:
            async with self._leading():
                pass
        try:
            await self._kube.delete_job(namespace or "", job_name)
        except KubernetesUnavailable as exc:
            logger.warning(
                "A Job is deleted later: %s", exc, extra={"action": "job_deletion_postponed", "job": job_name}
            )

    async def last_words(self, bot: Bot, pod: Json | None) -> dict[str, Any]:
        """What the bot's pod left behind, with its Events when they can be read."""
        if pod is None:
            return {}
        try:
            events = await self._kube.pod_events(bot.request_namespace or "", pod["metadata"]["name"])
        except KubernetesUnavailable:
            events = []
        return last_words(pod, events)
