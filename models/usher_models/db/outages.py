"""When callbacks could be taken, and when not: the ground on which silence is judged.

Every replica that serves says so every few seconds. Where all of them were mute for longer than the tolerance, the
first that is back notes the span as an outage; two that come back at once note the same one. Old ones are forgotten.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# A replica speaks every 2 s; three missed ones are an outage. The view usher.blackouts knows the same number.
PRESENCE_INTERVAL_S = 2.0
TOLERANCE_S = 6.0
FORGET_AFTER_DAYS = 7

_NOTE = text("""
WITH last AS (
    SELECT max(served_until) AS at FROM usher.replicas
), outage AS (
    INSERT INTO usher.outages (began_at, ended_at)
    SELECT at, now() FROM last WHERE at < now() - make_interval(secs => :tolerance)
    ON CONFLICT (began_at) DO NOTHING
    RETURNING ended_at - began_at AS lasted
), here AS (
    INSERT INTO usher.replicas (replica, served_until) VALUES (:replica, now())
    ON CONFLICT (replica) DO UPDATE SET served_until = now()
)
SELECT extract(epoch FROM lasted) FROM outage
""")

_FORGET = text("""
WITH replicas AS (DELETE FROM usher.replicas WHERE served_until < now() - make_interval(days => :days)
                  AND served_until < (SELECT max(served_until) FROM usher.replicas))
DELETE FROM usher.outages WHERE ended_at < now() - make_interval(days => :days)
""")


async def note_served(connection: AsyncConnection, replica: str) -> float | None:
    """Say that `replica` can take callbacks now; how long nobody could, in seconds, when that has just ended."""
    lasted = await connection.scalar(_NOTE, {"replica": replica, "tolerance": TOLERANCE_S})
    return float(lasted) if lasted is not None else None


async def forget_old(connection: AsyncConnection) -> None:
    """Drop replicas and outages that no live bot can remember."""
    await connection.execute(_FORGET, {"days": FORGET_AFTER_DAYS})
