"""The database's clock stepping back: rows that it left in the future are set back to now.

Everything that decides compares a time in a row with `now()`. After a step back, a heartbeat in the future keeps a dead
bot alive, a replica in the future hides an outage, and a deadline does not come, each for as long as the step was. Set
back together, silence and credit are measured from the same moment. History (transitions, meetings) stays as it was
written.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_DEADLINES = ("reserved_at", "job_created_at", "leave_requested_at", "started_at", "joined_at", "status_changed_at")
# The clock and not now(): a row of a transaction that began after this one is not in the future.
_FUTURE = "{column} > clock_timestamp()"

_SET_BACK = text(f"""
WITH replicas AS (
    UPDATE usher.replicas SET served_until = now() WHERE {_FUTURE.format(column="served_until")} RETURNING 1
), ahead AS (
    SELECT meeting_id FROM usher.heartbeats WHERE {_FUTURE.format(column="at")} ORDER BY meeting_id
    FOR NO KEY UPDATE SKIP LOCKED
), heartbeats AS (
    UPDATE usher.heartbeats h SET at = now() FROM ahead WHERE h.meeting_id = ahead.meeting_id RETURNING 1
), late AS (
    SELECT meeting_id FROM usher.bots
    WHERE (ended_at IS NULL AND greatest({", ".join(_DEADLINES)}) > clock_timestamp())
       OR write_after > clock_timestamp() + interval '1 hour'
    ORDER BY meeting_id FOR NO KEY UPDATE SKIP LOCKED
), bots AS (
    UPDATE usher.bots b
    SET {", ".join(f"{column} = least(b.{column}, now())" for column in _DEADLINES)}, write_after = NULL
    FROM late WHERE b.meeting_id = late.meeting_id RETURNING 1
)
SELECT (SELECT count(*) FROM replicas) + (SELECT count(*) FROM heartbeats) + (SELECT count(*) FROM bots)
""")


async def set_back_future_rows(connection: AsyncConnection) -> int:
    """Set back what a step of the clock left in the future; how many rows. Run it before judging silence."""
    return int((await connection.execute(_SET_BACK)).scalar_one())
