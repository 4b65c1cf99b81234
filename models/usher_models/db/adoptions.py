"""Putting a bot's row back that the database has lost: an asynchronous failover, or a restore from a backup.

The bot is in its meeting, so its user's limit does not matter: the row counts, and the next reservation sees it.
"""

from psycopg import IntegrityError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.bots import BOT_COLUMNS, Bot, to_bot
from usher_models.db.engine import in_one_exchange
from usher_models.db.failures import constraint
from usher_models.db.reservations import CONNECTION_KEY, LOCK_USER, WRITE_BOT, Request, values_of
from usher_models.db.vexa_tables import ACTIVE_MEETING_INDEX
from usher_models.states import Reason

_ADOPT = text(
    f"""
WITH meeting AS (
    INSERT INTO meetings (id, user_id, platform, platform_specific_id, status, bot_container_id, data,
                          created_at, updated_at)
    SELECT :meeting_id, :user_id, :platform, :native_id, 'reserved', :job_name, '{{}}',
           clock_timestamp() AT TIME ZONE 'utc', clock_timestamp() AT TIME ZONE 'utc'
    FROM users WHERE users.id = :user_id
    ON CONFLICT (id) DO NOTHING
    RETURNING *
), {WRITE_BOT}
SELECT {BOT_COLUMNS} FROM bot b JOIN meeting m ON m.id = b.meeting_id
"""
)

# Few ids are drawn one by one, because setting the sequence could take back what other sessions draw meanwhile. Of many
# it cannot: nobody draws that many meanwhile.
_MOST_DRAWN = 10_000
_LAST_ID = text("SELECT coalesce(pg_sequence_last_value(usher.meeting_id_sequence()), 0)")
_DRAW_IDS = text("SELECT count(nextval(usher.meeting_id_sequence())) FROM generate_series(1, CAST(:skipped AS bigint))")
_SET_IDS = text("SELECT setval(usher.meeting_id_sequence(), CAST(:highest AS bigint))")


async def adopt(connection: AsyncConnection, request: Request, *, meeting_id: int, job_name: str) -> Bot | None:
    """Write the row of a bot whose Job exists, reserved until the bot speaks; for a connection that commits by itself.

    None if there is nothing to put back: the user is gone, or the id, the connection id or the user's place in that
    meeting belongs to another row.
    """
    values = values_of(request, reason=Reason.ADOPTED) | {"meeting_id": meeting_id, "job_name": job_name}
    try:
        _, rows = await in_one_exchange(connection, (LOCK_USER, _ADOPT), values)
    except IntegrityError as exc:
        if constraint(exc) in (ACTIVE_MEETING_INDEX, CONNECTION_KEY):
            return None
        raise
    return to_bot(rows[0]) if rows else None


async def raise_ids(connection: AsyncConnection, *, highest: int) -> int:
    """Let no meeting get an id up to `highest`, which Kubernetes shows already; how many were skipped."""
    skipped = max(0, highest - int(await connection.scalar(_LAST_ID) or 0))
    if skipped > _MOST_DRAWN:
        await connection.execute(_SET_IDS, {"highest": highest})
    elif skipped:
        await connection.execute(_DRAW_IDS, {"skipped": skipped})
    return skipped
