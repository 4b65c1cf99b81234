"""What the owner of a meeting wants of its bot: stored before it is sent, so that no command can be lost.

Leave is final: a bot that was asked to leave is never asked to stay. A change of configuration counts up
`config_generation`; the bot acknowledges by `applied_generation`.
"""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.bots import IS_LIVE, SELECT_SUMMARY, BotSummary, to_bots

_LEAVE = text("""
WITH live AS (
    SELECT meeting_id FROM usher.bots WHERE meeting_id = ANY(:ids) AND desired <> 'leave' AND ended_at IS NULL
    ORDER BY meeting_id FOR NO KEY UPDATE
)
UPDATE usher.bots b
SET desired = 'leave', leave_requested_at = now(), leave_reason = :reason
FROM live WHERE b.meeting_id = live.meeting_id
RETURNING b.meeting_id
""")

_CONFIGURE = text("""
UPDATE usher.bots
SET config = config || CAST(:config AS jsonb), config_generation = config_generation + 1
WHERE meeting_id = :meeting_id AND ended_at IS NULL
  AND config IS DISTINCT FROM config || CAST(:config AS jsonb)
  AND (request_generation < CAST(:request_generation AS bigint) OR request_uid IS NULL) IS NOT FALSE
RETURNING config_generation
""")

_SEEN = text("""
UPDATE usher.bots
SET request_generation = :generation, request_uid = :uid, request_namespace = :namespace, request_name = :name,
    revision = revision + 1
WHERE meeting_id = :meeting_id AND (request_generation < :generation OR request_uid IS NULL)
""")


async def want_leave(connection: AsyncConnection, meeting_ids: Sequence[int], *, reason: str) -> list[int]:
    """Ask those bots to leave; the ids of the live ones that had not been asked before."""
    rows = await connection.execute(_LEAVE, {"ids": list(meeting_ids), "reason": reason})
    return [row.meeting_id for row in rows]


async def want_config(
    connection: AsyncConnection, meeting_id: int, config: dict[str, Any], *, request_generation: int | None = None
) -> int | None:
    """Ask a bot to take on `config`, merged into what it has; the new generation, or None when nothing changes.

    Nothing does if that generation of its BotRequest, or a later one, was taken over already.
    """
    values = {
        "meeting_id": meeting_id,
        "config": json.dumps(config),
        "request_generation": request_generation,
    }
    generation = await connection.scalar(_CONFIGURE, values)
    return int(generation) if generation is not None else None


async def note_request(
    connection: AsyncConnection, meeting_id: int, *, namespace: str, name: str, uid: str, generation: int
) -> None:
    """Note which BotRequest stands for a meeting, and up to which generation its spec was taken over."""
    values = {"namespace": namespace, "name": name, "uid": uid, "generation": generation}
    await connection.execute(_SEEN, values | {"meeting_id": meeting_id})


_IGNORING_LEAVE = text(
    SELECT_SUMMARY
    + f"""JOIN usher.heartbeats h ON h.meeting_id = b.meeting_id
    WHERE {IS_LIVE} AND b.desired = 'leave' AND b.job_created_at IS NOT NULL
    AND b.leave_requested_at < now() - make_interval(secs => :grace)
    AND (b.pod_uid IS NULL OR h.at > b.leave_requested_at + make_interval(secs => :grace))"""
)


async def bots_ignoring_leave(connection: AsyncConnection, *, grace_s: float) -> list[BotSummary]:
    """Bots that were asked to leave longer than `grace_s` ago and have reported since, or have never reported.

    A bot that reported before and did not report after its grace may have left long ago and be unable to say so. The
    stale rules judge it, and they credit outages.
    """
    return to_bots(await connection.execute(_IGNORING_LEAVE, {"grace": grace_s}), BotSummary)


_OVERDUE = text(
    SELECT_SUMMARY
    + f"""WHERE {IS_LIVE} AND b.desired = 'run'
    AND b.started_at < now() - make_interval(secs => b.max_duration_s)"""
)


async def overdue_bots(connection: AsyncConnection) -> list[BotSummary]:
    """Bots that run for longer than their maximum duration and were not asked to leave yet."""
    return to_bots(await connection.execute(_OVERDUE), BotSummary)
