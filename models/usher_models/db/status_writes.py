"""Which rows have a status that their BotRequest does not show yet, and recording what was written or failed."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.bots import BOT_COLUMNS, Bot, to_bots
from usher_models.db.engine import fetch
from usher_models.db.history import HISTORY_COLUMN, PastTransition, to_history

# The first retry comes at once, the following ones after 1, 3, 7 and then 15 s, so that a person who waits sees the
# status within seconds of the API server's return.
LONGEST_BACKOFF_S = 15
# What the API server refused it will refuse again, until a Role or the definition of BotRequest changes.
REFUSED_BACKOFF_S = 3600

# Reserved is written together with the Job, active and the end at once; what passes quickly is not worth a write.
# Postgres estimates that a third of all bots is unwritten, whatever its statistics, and would read the whole history of
# meetings to join them. OFFSET 0 keeps it to one lookup for each that really is. The end of a bot whose meeting was
# deleted is written too.
_UNWRITTEN = text(
    f"""
SELECT {BOT_COLUMNS}, {HISTORY_COLUMN}
FROM usher.bots b CROSS JOIN LATERAL (
    SELECT coalesce(found.platform, '') AS platform, coalesce(found.platform_specific_id, '') AS platform_specific_id,
           CASE WHEN found.id IS NULL AND b.ended_at IS NOT NULL THEN 'failed' ELSE found.status END AS status
    FROM (SELECT) AS one LEFT JOIN meetings found ON found.id = b.meeting_id OFFSET 0
) m
"""
    + """WHERE b.revision > b.written_revision AND b.request_name IS NOT NULL
    AND (b.write_after IS NULL OR b.write_after <= now())
    AND (b.status_changed_at < now() - make_interval(secs => :delay_s)
         OR m.status IS DISTINCT FROM b.written_status
            AND (m.status IN ('active', 'completed', 'failed')
                 OR m.status = 'reserved' AND b.job_created_at IS NOT NULL))
    ORDER BY b.status_changed_at LIMIT :limit"""
)

# Rows are locked in one order, whatever the caller's: two of these statements never deadlock.
_MARK_WRITTEN = text("""
WITH written AS (
    SELECT b.meeting_id, given.revision, given.status
    FROM unnest(CAST(:ids AS integer[]), CAST(:revisions AS bigint[]), CAST(:statuses AS varchar[]))
         AS given (meeting_id, revision, status)
    JOIN usher.bots b USING (meeting_id) ORDER BY b.meeting_id FOR UPDATE OF b
)
UPDATE usher.bots b
SET written_revision = written.revision, written_status = written.status, write_failures = 0, write_after = NULL
FROM written WHERE b.meeting_id = written.meeting_id
""")

_MARK_FAILED = text("""
WITH failed AS (
    SELECT b.meeting_id, given.refused
    FROM unnest(CAST(:ids AS integer[]), CAST(:refused AS boolean[])) AS given (meeting_id, refused)
    JOIN usher.bots b USING (meeting_id) ORDER BY b.meeting_id FOR UPDATE OF b
)
UPDATE usher.bots b
SET write_failures = b.write_failures + 1,
    write_after = now() + make_interval(secs => CASE WHEN failed.refused THEN :refused_s
                                                     ELSE least(:longest_s, power(2, b.write_failures) - 1) END)
FROM failed WHERE b.meeting_id = failed.meeting_id
""")

_RETRY_ALL = text("""
WITH waiting AS (
    SELECT meeting_id FROM usher.bots WHERE write_after IS NOT NULL ORDER BY meeting_id FOR NO KEY UPDATE
)
UPDATE usher.bots b SET write_after = NULL FROM waiting WHERE b.meeting_id = waiting.meeting_id
""")

# Only rows whose newest revision was written: any other is written anyway. The reason is compared as it is written, in
# CamelCase.
_REWRITE_EDITED = text("""
WITH edited AS (
    SELECT b.meeting_id
    FROM unnest(CAST(:connections AS varchar[]), CAST(:uids AS varchar[]), CAST(:phases AS varchar[]),
                CAST(:reasons AS varchar[])) AS shown (connection_id, uid, phase, reason)
    JOIN usher.bots b ON b.connection_id = shown.connection_id AND b.request_uid = shown.uid
    WHERE b.revision = b.written_revision
      AND (b.written_status <> shown.phase OR replace(initcap(replace(b.reason, '_', ' ')), ' ', '') <> shown.reason)
    ORDER BY b.meeting_id FOR UPDATE OF b
)
UPDATE usher.bots b SET revision = b.revision + 1
FROM edited WHERE b.meeting_id = edited.meeting_id
RETURNING b.meeting_id
""")
_NOTE_REASON = text("""
UPDATE usher.bots b SET reason = :reason, message = :message, revision = b.revision + 1
FROM meetings m WHERE m.id = b.meeting_id AND b.meeting_id = :id AND m.status = 'reserved'
  AND (b.reason, b.message) IS DISTINCT FROM (:reason, :message)
""")


@dataclass(frozen=True, kw_only=True)
class UnwrittenBot(Bot):
    """A bot whose status is to be written, and how it came there."""

    history: tuple[PastTransition, ...]


@dataclass(frozen=True, kw_only=True)
class ShownStatus:
    """What a BotRequest shows."""

    connection_id: str
    uid: str
    phase: str
    reason: str


async def unwritten_bots(connection: AsyncConnection, *, delay_s: float, limit: int) -> list[UnwrittenBot]:
    """Bots whose BotRequest does not show their newest revision yet, longest waiting first.

    Starting and stopping are left out until they have lasted `delay_s` seconds; what failed, until its pause is over.
    """
    rows = await fetch(connection, _UNWRITTEN, {"delay_s": delay_s, "limit": limit})
    return to_bots([row | {"history": to_history(row["history"])} for row in rows], UnwrittenBot)


async def mark_written(connection: AsyncConnection, bots: Sequence[Bot]) -> None:
    """Record that BotRequests show these revisions. One that shows a newer revision is written once more."""
    written = {
        "ids": [bot.meeting_id for bot in bots],
        "revisions": [bot.revision for bot in bots],
        "statuses": [bot.status for bot in bots],
    }
    await fetch(connection, _MARK_WRITTEN, written)


async def mark_failed(connection: AsyncConnection, failed: Sequence[tuple[Bot, bool]]) -> None:
    """Put off the next write of these bots; True beside one if the API server refused it for good."""
    values = {
        "ids": [bot.meeting_id for bot, _ in failed],
        "refused": [refused for _, refused in failed],
        "refused_s": REFUSED_BACKOFF_S,
        "longest_s": LONGEST_BACKOFF_S,
    }
    await fetch(connection, _MARK_FAILED, values)


async def retry_all(connection: AsyncConnection) -> None:
    """Try again at once what failed: after a restart, rights and definitions may be others."""
    await fetch(connection, _RETRY_ALL, {})


async def rewrite_edited(connection: AsyncConnection, shown: Sequence[ShownStatus]) -> list[int]:
    """Have the statuses written once more that show something else than what was written; their meetings."""
    values = {
        "connections": [each.connection_id for each in shown],
        "uids": [each.uid for each in shown],
        "phases": [each.phase for each in shown],
        "reasons": [each.reason for each in shown],
    }
    return [row["meeting_id"] for row in await fetch(connection, _REWRITE_EDITED, values)]


async def note_reason(connection: AsyncConnection, meeting_id: int, *, reason: str, message: str) -> None:
    """Note why a reservation does not get its Job yet, which its BotRequest shows then."""
    await fetch(connection, _NOTE_REASON, {"id": meeting_id, "reason": reason, "message": message})
