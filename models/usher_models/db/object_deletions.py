"""Objects in Kubernetes that must go: BotRequests whose time is up, and everything of a meeting that is erased.

Level-triggered: a row is due until its objects are known to be deleted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.engine import fetch

# A deletion that fails is put off, so that others get their turn.
BACKOFF_S = 60

# The Job goes with its BotRequest: it keeps its own time, for the logs of the pod.
_DUE = text("""
SELECT meeting_id, request_namespace AS namespace, request_name AS name, request_uid AS uid, job_name,
       erase_requested_at IS NOT NULL AS erase
FROM usher.bots
WHERE objects_deleted_at IS NULL AND ended_at IS NOT NULL
  AND (erase_requested_at IS NOT NULL OR request_ttl_s IS NOT NULL)
  AND (erase_requested_at IS NOT NULL OR ended_at < now() - make_interval(secs => request_ttl_s))
  AND (delete_after IS NULL OR delete_after <= now())
ORDER BY erase_requested_at IS NULL, ended_at LIMIT :limit
""")
_MARK_DELETED = text("""
UPDATE usher.bots SET objects_deleted_at = now() WHERE meeting_id IN (
    SELECT meeting_id FROM usher.bots WHERE meeting_id = ANY(:ids) ORDER BY meeting_id FOR UPDATE)
""")
_PUT_OFF = text("""
UPDATE usher.bots SET delete_after = now() + make_interval(secs => :backoff_s) WHERE meeting_id IN (
    SELECT meeting_id FROM usher.bots WHERE meeting_id = ANY(:ids) ORDER BY meeting_id FOR UPDATE)
""")
_PENDING = text("""
SELECT EXISTS (SELECT FROM usher.bots WHERE meeting_id = :id AND objects_deleted_at IS NULL
               AND (request_name IS NOT NULL OR job_created_at IS NOT NULL)) AS pending
""")


@dataclass(frozen=True, kw_only=True)
class ObjectsToDelete:
    """The objects of one meeting. `uid` is None if its BotRequest was never seen; `erase`: its Job must go as well."""

    meeting_id: int
    namespace: str | None
    name: str | None
    uid: str | None
    job_name: str
    erase: bool


async def due(connection: AsyncConnection, *, limit: int) -> list[ObjectsToDelete]:
    """What is due, erasures first."""
    return [ObjectsToDelete(**row) for row in await fetch(connection, _DUE, {"limit": limit})]


async def mark_deleted(connection: AsyncConnection, meeting_ids: Sequence[int]) -> None:
    """Record that the objects of these meetings are gone."""
    await fetch(connection, _MARK_DELETED, {"ids": list(meeting_ids)})


async def put_off(connection: AsyncConnection, meeting_ids: Sequence[int]) -> None:
    """Try these again later."""
    await fetch(connection, _PUT_OFF, {"ids": list(meeting_ids), "backoff_s": BACKOFF_S})


async def is_pending(connection: AsyncConnection, meeting_id: int) -> bool:
    """True if the meeting has a BotRequest or a Job in Kubernetes that was not deleted yet."""
    (row,) = await fetch(connection, _PENDING, {"id": meeting_id})
    return bool(row["pending"])
