"""Which rows have a status that their BotRequest does not show yet, and recording what was written."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.bots import BOT_COLUMNS, Bot, to_bots
from usher_models.db.engine import fetch

# Reserved is written together with the Job, active and the end at once; what passes quickly is not worth a write.
# Postgres estimates that a third of all bots is unwritten, whatever its statistics, and would read the whole history of
# meetings to join them. OFFSET 0 keeps it to one lookup for each that really is. The end of a bot whose meeting was
# deleted is written too.
_UNWRITTEN = text(
    f"""
SELECT {BOT_COLUMNS}
FROM usher.bots b CROSS JOIN LATERAL (
    SELECT coalesce(found.platform, '') AS platform, coalesce(found.platform_specific_id, '') AS platform_specific_id,
           CASE WHEN found.id IS NULL AND b.ended_at IS NOT NULL THEN 'failed' ELSE found.status END AS status
    FROM (SELECT) AS one LEFT JOIN meetings found ON found.id = b.meeting_id OFFSET 0
) m
"""
    + """WHERE b.revision > b.written_revision AND b.request_name IS NOT NULL
    AND (b.status_changed_at < now() - make_interval(secs => :delay_s)
         OR m.status IS DISTINCT FROM b.written_status
            AND (m.status IN ('active', 'completed', 'failed')
                 OR m.status = 'reserved' AND b.job_created_at IS NOT NULL))
    ORDER BY b.status_changed_at LIMIT :limit"""
)

_MARK_WRITTEN = text("""
UPDATE usher.bots b SET written_revision = written.revision, written_status = written.status
FROM unnest(CAST(:ids AS integer[]), CAST(:revisions AS bigint[]), CAST(:statuses AS varchar[]))
     AS written (meeting_id, revision, status)
WHERE b.meeting_id = written.meeting_id
""")


async def unwritten_bots(connection: AsyncConnection, *, delay_s: float, limit: int) -> list[Bot]:
    """Bots whose BotRequest does not show their newest revision yet, longest waiting first.

    Starting and stopping are left out until they have lasted `delay_s` seconds.
    """
    return to_bots(await fetch(connection, _UNWRITTEN, {"delay_s": delay_s, "limit": limit}), Bot)


async def mark_written(connection: AsyncConnection, bots: Sequence[Bot]) -> None:
    """Record that BotRequests show these revisions. One that shows a newer revision is written once more."""
    written = {
        "ids": [bot.meeting_id for bot in bots],
        "revisions": [bot.revision for bot in bots],
        "statuses": [bot.status for bot in bots],
    }
    await fetch(connection, _MARK_WRITTEN, written)
