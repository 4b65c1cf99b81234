"""Deleting BotRequests whose time is up, and BotRequest and Job of a meeting that its owner erased.

Without it etcd would keep every meeting that the REST API ever started, with its passcode.
"""

import asyncio
import logging

from usher_models.db import object_deletions
from usher_models.db.engine import Database
from usher_models.db.leader_lock import Fence
from usher_models.db.object_deletions import ObjectsToDelete
from usher_models.errors import KubernetesUnavailable
from usher_operator.background.loop import Messages, repeat
from usher_operator.kube.port import KubePort
from usher_operator.telemetry import DELETED_REQUESTS

logger = logging.getLogger(__name__)

BATCH = 200
CONCURRENCY = 8
_MESSAGES = Messages(
    action="object_deletion",
    postponed="BotRequests are deleted later",
    failed="BotRequests could not be deleted",
)


class ObjectDeleter:
    """Deletes what is due. It has no memory: a row is due until its objects are gone."""

    def __init__(self, *, database: Database, kube: KubePort, fence: Fence) -> None:
        self._database = database
        self._kube = kube
        self._fence = fence

    async def run(self, interval_s: float) -> None:
        """Delete for ever; what fails is repeated."""
        await repeat(self._delete_batch, _MESSAGES, every_s=interval_s)

    async def _delete_batch(self) -> float | None:
        if not self._fence.leads:
            return None
        return 0 if await self.delete_due() >= BATCH else None

    async def delete_due(self) -> int:
        """Delete what is due, and return how many meetings it was. Raises DatabaseUnavailable, NotLeading."""
        async with self._database.transaction() as connection:
            await self._fence.confirm(connection)
            due = await object_deletions.due(connection, limit=BATCH)
        slots = asyncio.Semaphore(CONCURRENCY)

        async def one(objects: ObjectsToDelete) -> bool:
            async with slots:
                return await self._delete(objects)

        deleted = await asyncio.gather(*(one(objects) for objects in due))
        await self._record(dict(zip((objects.meeting_id for objects in due), deleted, strict=True)))
        return len(due)

    async def _record(self, deleted: dict[int, bool]) -> None:
        done = [meeting_id for meeting_id, gone in deleted.items() if gone]
        DELETED_REQUESTS.inc(len(done))
        async with self._database.at_once() as connection:
            await object_deletions.mark_deleted(connection, done)
        async with self._database.at_once() as connection:
            await object_deletions.put_off(connection, sorted(deleted.keys() - set(done)))

    async def _delete(self, objects: ObjectsToDelete) -> bool:
        """True if nothing is left."""
        try:
            if objects.namespace and objects.name:
                await self._kube.delete_request(objects.namespace, objects.name, uid=objects.uid)
            if objects.namespace and objects.erase:
                await self._kube.delete_job(objects.namespace, objects.job_name)
        except KubernetesUnavailable as exc:
            logger.warning(
                "The objects of a meeting are deleted later: %s",
                exc,
                extra={"action": "object_deletion_postponed", "meeting_id": objects.meeting_id},
            )
            return False
        return True
