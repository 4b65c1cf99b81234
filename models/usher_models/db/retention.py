"""Deleting what Usher keeps of meetings that ended long ago. Vexa's tables are never touched, nor live meetings."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# A row whose end its BotRequest does not show yet is kept twice as long: without the row the end would be lost.
_DELETE = text("""
WITH old AS (
    SELECT b.meeting_id FROM usher.bots b
    WHERE b.ended_at < now() - make_interval(secs => :keep_s)
      AND (b.request_name IS NULL OR b.written_revision >= b.revision
           OR b.ended_at < now() - make_interval(secs => 2 * :keep_s))
      AND NOT EXISTS (SELECT FROM usher.webhook_deliveries w WHERE w.meeting_id = b.meeting_id AND w.state = 'pending')
    ORDER BY b.meeting_id LIMIT :limit
    FOR UPDATE OF b SKIP LOCKED
), transitions AS (
    DELETE FROM usher.transitions t USING old WHERE t.meeting_id = old.meeting_id
), heartbeats AS (
    DELETE FROM usher.heartbeats h USING old WHERE h.meeting_id = old.meeting_id
), evidence AS (
    DELETE FROM usher.evidence e USING old WHERE e.meeting_id = old.meeting_id
), webhooks AS (
    DELETE FROM usher.webhook_deliveries w USING old WHERE w.meeting_id = old.meeting_id
)
DELETE FROM usher.bots b USING old WHERE b.meeting_id = old.meeting_id RETURNING b.meeting_id
""")
_DELETE_EVIDENCE = text("""
DELETE FROM usher.evidence WHERE meeting_id IN (
    SELECT meeting_id FROM usher.evidence WHERE failed_at < now() - make_interval(secs => :keep_s)
    ORDER BY failed_at LIMIT :limit FOR UPDATE SKIP LOCKED)
RETURNING meeting_id
""")


async def delete_history(connection: AsyncConnection, *, keep_s: float, limit: int) -> int:
    """Delete what belongs to at most `limit` meetings that ended longer than `keep_s` ago; their number."""
    return len((await connection.execute(_DELETE, {"keep_s": keep_s, "limit": limit})).all())


async def delete_evidence(connection: AsyncConnection, *, keep_s: float, limit: int) -> int:
    """Delete at most `limit` bundles of meetings that failed longer than `keep_s` ago; their number."""
    return len((await connection.execute(_DELETE_EVIDENCE, {"keep_s": keep_s, "limit": limit})).all())
