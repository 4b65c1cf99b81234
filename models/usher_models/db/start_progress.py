"""How far the start of a bot is, as Kubernetes says: the stage of its pod, and what keeps it from running.

The bot reports everything from its start on; before it nobody but the operator can. Only a reservation is written.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.bots import IS_LIVE
from usher_models.db.stages import with_stage
from usher_models.db.words import storable

# A stage alone is not worth a write on the BotRequest; what a person must know is, once for each reason.
_NOTE = text(f"""
WITH given AS (
    SELECT * FROM jsonb_to_recordset(CAST(:given AS jsonb)) AS g (id integer, stage text, reason text, message text)
), picked AS (
    SELECT b.meeting_id, given.*, given.reason IS NOT NULL AND given.reason <> b.reason AS is_news
    FROM given JOIN usher.bots b ON b.meeting_id = given.id JOIN meetings m ON m.id = b.meeting_id
    WHERE {IS_LIVE} AND m.status = 'reserved'
      AND (given.stage IS DISTINCT FROM b.stage OR given.reason IS NOT NULL AND given.reason <> b.reason)
    ORDER BY b.meeting_id
    FOR UPDATE OF b SKIP LOCKED
)
UPDATE usher.bots b
SET stage = picked.stage,
    stages = {with_stage("picked.stage")},
    reason = CASE WHEN picked.is_news THEN picked.reason ELSE b.reason END,
    message = CASE WHEN picked.is_news THEN picked.message ELSE b.message END,
    revision = b.revision + CASE WHEN picked.is_news THEN 1 ELSE 0 END
FROM picked WHERE b.meeting_id = picked.meeting_id
RETURNING b.meeting_id, picked.is_news
""")


@dataclass(frozen=True, kw_only=True)
class StartProgress:
    """Where a bot's pod is; `reason` and `message` if something keeps it from running."""

    meeting_id: int
    stage: str
    reason: str | None = None
    message: str | None = None


async def note_progress(connection: AsyncConnection, progress: Sequence[StartProgress]) -> set[int]:
    """Note it in the rows that are still reserved; the meetings that have a new reason."""
    given = [
        {
            "id": each.meeting_id,
            "stage": each.stage,
            "reason": each.reason,
            "message": storable(connection, each.message),
        }
        for each in progress
    ]
    rows = await connection.execute(_NOTE, {"given": json.dumps(given)})
    return {row.meeting_id for row in rows if row.is_news}
