"""Meetings that another program ended or deleted: Usher's side of them follows.

`meetings` and `usher.bots` say the same, and only Usher's own statements keep them equal. `follow` notes the
transition, sends its webhooks and ends the heartbeat, as the statement of `transitions` does. The meeting itself is
never written.
"""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.attribution import fault_of
from usher_models.db.evidence import DUE
from usher_models.db.transitions import Moved
from usher_models.db.webhook_outbox import OUTBOX
from usher_models.states import TERMINAL, Reason, Source, Status, sentence

_OVER = ", ".join(repr(str(status)) for status in sorted(TERMINAL))

_FOLLOW = text(f"""
WITH picked AS (
    SELECT b.meeting_id AS id, last.to_status AS origin, m.id IS NULL AS deleted,
           coalesce(lower(btrim(m.status)), :failed) AS target,
           CASE WHEN m.id IS NULL THEN CAST(:deleted AS varchar) ELSE :ended END AS reason,
           CASE WHEN m.id IS NULL THEN CAST(:deleted_message AS text) ELSE :ended_message END AS message
    FROM usher.bots b
    LEFT JOIN meetings m ON m.id = b.meeting_id
    CROSS JOIN LATERAL (
        SELECT to_status FROM usher.transitions t WHERE t.meeting_id = b.meeting_id ORDER BY seq DESC LIMIT 1
    ) AS last
    WHERE b.ended_at IS NULL AND (m.id IS NULL OR lower(btrim(m.status)) IN ({_OVER}))
    ORDER BY b.meeting_id LIMIT :limit
    FOR UPDATE OF b SKIP LOCKED
), bot AS (
    UPDATE usher.bots b
    SET transition_seq = b.transition_seq + 1, revision = b.revision + 1, status_changed_at = now(), stage = NULL,
        ended_at = now(), reason = picked.reason, message = picked.message,
        fault = CASE WHEN picked.target = :failed THEN CAST(:failed_fault AS varchar) ELSE :completed_fault END
    FROM picked WHERE b.meeting_id = picked.id
    RETURNING b.*
), meeting AS (
    SELECT bot.meeting_id AS id, bot.user_id, m.platform, m.platform_specific_id, picked.target AS status, m.start_time,
           m.end_time, m.created_at, m.updated_at
    FROM bot JOIN picked ON picked.id = bot.meeting_id LEFT JOIN meetings m ON m.id = bot.meeting_id
), ended AS (
    DELETE FROM usher.heartbeats h USING picked WHERE h.meeting_id = picked.id
    RETURNING h.meeting_id, h.at, h.seq
), noted AS (
    INSERT INTO usher.transitions (meeting_id, seq, from_status, to_status, source, reason, fault)
    SELECT bot.meeting_id, bot.transition_seq, picked.origin, picked.target, :source, picked.reason, bot.fault
    FROM bot JOIN picked ON picked.id = bot.meeting_id
    RETURNING *
), {DUE}, {OUTBOX}
SELECT bot.meeting_id, bot.connection_id, bot.job_name, bot.request_namespace AS namespace, picked.origin,
       picked.target, picked.reason, bot.fault, coalesce(meeting.platform, 'unknown') AS platform,
       bot.joined_at IS NOT NULL AS joined
FROM bot JOIN picked ON picked.id = bot.meeting_id JOIN meeting ON meeting.id = bot.meeting_id
""")

_VALUES = {
    "failed": str(Status.FAILED),
    "failed_fault": fault_of(Reason.ENDED_EXTERNALLY, Status.FAILED),
    "completed_fault": fault_of(Reason.ENDED_EXTERNALLY, Status.COMPLETED),
    "source": str(Source.EXTERNAL),
    "deleted": str(Reason.MEETING_DELETED),
    "deleted_message": sentence(Reason.MEETING_DELETED),
    "ended": str(Reason.ENDED_EXTERNALLY),
    "ended_message": sentence(Reason.ENDED_EXTERNALLY),
}


@dataclass(frozen=True, kw_only=True)
class ExternalEnd(Moved):
    """A meeting that others ended as `target`."""

    target: str


async def follow(connection: AsyncConnection, *, limit: int) -> list[ExternalEnd]:
    """End Usher's side of at most `limit` meetings that others ended or deleted; the ones ended."""
    rows = await connection.execute(_FOLLOW, _VALUES | {"limit": limit})
    return [ExternalEnd(**row._mapping) for row in rows]
