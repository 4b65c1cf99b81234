"""Putting a bot's row back that the database has lost: an asynchronous failover, or a restore from a backup.

The bot is in its meeting, so its user's limit does not matter: the row counts, and the next reservation sees it.
Where only the schema `usher` was lost, the meeting's own row is still there, and the bot gets it again.
"""

from enum import StrEnum

from psycopg import IntegrityError
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.bots import BOT_COLUMNS, Bot, to_bot
from usher_models.db.engine import fetch, in_one_exchange
from usher_models.db.failures import constraint
from usher_models.db.reservations import CONNECTION_KEY, LOCK_USER, WRITE_BOT, Request, values_of
from usher_models.db.vexa_tables import ACTIVE_MEETING_INDEX
from usher_models.states import LIVE, Reason

# The meeting of that very Job, without a bot: what a lost schema leaves behind.
_KEPT = """m.id = :meeting_id AND m.user_id = :user_id AND m.platform = :platform
      AND m.platform_specific_id = :native_id AND m.bot_container_id = :job_name AND m.status = ANY(:live)
      AND NOT EXISTS (SELECT FROM usher.bots b WHERE b.meeting_id = m.id)"""

_ADOPT = text(
    f"""
WITH kept AS (
    UPDATE meetings m SET status = 'reserved', updated_at = clock_timestamp() AT TIME ZONE 'utc' WHERE {_KEPT}
    RETURNING m.*, clock_timestamp() AT TIME ZONE 'utc' AS reserved_at
), made AS (
    INSERT INTO meetings (id, user_id, platform, platform_specific_id, status, bot_container_id, data,
                          created_at, updated_at)
    SELECT :meeting_id, :user_id, :platform, :native_id, 'reserved', :job_name, '{{}}',
           clock_timestamp() AT TIME ZONE 'utc', clock_timestamp() AT TIME ZONE 'utc'
    FROM users WHERE users.id = :user_id AND NOT EXISTS (SELECT FROM kept)
    ON CONFLICT (id) DO NOTHING
    RETURNING *, created_at AS reserved_at
), meeting AS (
    SELECT * FROM kept UNION ALL SELECT * FROM made
), {WRITE_BOT}
SELECT {BOT_COLUMNS} FROM bot b JOIN meeting m ON m.id = b.meeting_id
"""
)
_OBSTACLE = text(f"""
SELECT CASE
    WHEN NOT EXISTS (SELECT FROM users WHERE id = :user_id) THEN 'user_unknown'
    WHEN EXISTS (SELECT FROM usher.bots WHERE connection_id = :connection_id) THEN 'connection_taken'
    WHEN EXISTS (SELECT FROM meetings m WHERE {_KEPT}) THEN NULL
    WHEN EXISTS (SELECT FROM meetings WHERE id = :meeting_id AND bot_container_id = :job_name
                 AND status IN ('completed', 'failed')) THEN 'meeting_over'
    WHEN EXISTS (SELECT FROM meetings WHERE id = :meeting_id) THEN 'id_taken'
    WHEN to_regclass(:index) IS NOT NULL
         AND EXISTS (SELECT FROM meetings WHERE user_id = :user_id AND platform = :platform
                     AND platform_specific_id = :native_id AND status NOT IN ('completed', 'failed'))
         THEN 'place_taken'
END AS obstacle
""")

# Few ids are drawn one by one, because setting the sequence could take back what other sessions draw meanwhile. Of many
# it cannot: nobody draws that many meanwhile.
_MOST_DRAWN = 10_000
_MEETINGS = "usher.meeting_id_sequence()"
_USERS = "CAST(pg_get_serial_sequence('public.users', 'id') AS regclass)"


class Obstacle(StrEnum):
    """Why a lost row cannot come back."""

    USER_UNKNOWN = "user_unknown"
    CONNECTION_TAKEN = "connection_taken"
    MEETING_OVER = "meeting_over"
    ID_TAKEN = "id_taken"
    PLACE_TAKEN = "place_taken"


async def adopt(connection: AsyncConnection, request: Request, *, meeting_id: int, job_name: str) -> Bot | None:
    """Write the row of a bot whose Job exists, reserved until the bot speaks; for a connection that commits by itself.

    None if there is an obstacle.
    """
    try:
        _, rows = await in_one_exchange(connection, (LOCK_USER, _ADOPT), _values(request, meeting_id, job_name))
    except IntegrityError as exc:
        if constraint(exc) in (ACTIVE_MEETING_INDEX, CONNECTION_KEY):
            return None
        raise
    return to_bot(rows[0]) if rows else None


async def obstacle(connection: AsyncConnection, request: Request, *, meeting_id: int, job_name: str) -> Obstacle | None:
    """Why the row cannot come back as things stand; None if it can."""
    values = _values(request, meeting_id, job_name) | {"index": ACTIVE_MEETING_INDEX}
    (row,) = await fetch(connection, _OBSTACLE, values)
    return row["obstacle"] and Obstacle(row["obstacle"])


def _values(request: Request, meeting_id: int, job_name: str) -> dict[str, object]:
    return values_of(request, reason=Reason.ADOPTED) | {
        "meeting_id": meeting_id,
        "job_name": job_name,
        "live": sorted(LIVE),
    }


async def raise_ids(connection: AsyncConnection, *, highest: int) -> int:
    """Let no meeting get an id up to `highest`, which Kubernetes shows already; how many were skipped."""
    return await _raise(connection, _MEETINGS, highest)


async def raise_user_ids(connection: AsyncConnection, *, highest: int) -> int:
    """Let no user get an id up to `highest`: a bot of the user who had it would be adopted for another one."""
    return await _raise(connection, _USERS, highest)


async def _raise(connection: AsyncConnection, sequence: str, highest: int) -> int:
    last = await connection.scalar(text(f"SELECT coalesce(pg_sequence_last_value({sequence}), 0)"))
    skipped = max(0, highest - int(last or 0))
    if skipped > _MOST_DRAWN:
        await connection.execute(text(f"SELECT setval({sequence}, CAST(:highest AS bigint))"), {"highest": highest})
    elif skipped:
        await connection.execute(_draw(sequence), {"skipped": skipped})
    return skipped


def _draw(sequence: str) -> TextClause:
    return text(f"SELECT count(nextval({sequence})) FROM generate_series(1, CAST(:skipped AS bigint))")
