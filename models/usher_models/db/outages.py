"""Outages of the callback server: spans in which no replica could take a callback.

Every replica records a heartbeat every few seconds. If all of them stopped for longer than the tolerance, the first one
that is back records the span as an outage; two that come back at once record the same one. Old outages are deleted.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# Three missed heartbeats are an outage: usher.outage_tolerance() of the schema.
REPLICA_HEARTBEAT_INTERVAL_S = 2.0
KEEP_DAYS = 7

_RECORD = text("""
WITH last AS (
    SELECT max(least(served_until, now())) AS at FROM usher.replicas
), outage AS (
    INSERT INTO usher.outages (began_at, ended_at)
    SELECT at, now() FROM last WHERE at < now() - usher.outage_tolerance()
    ON CONFLICT (began_at) DO NOTHING
    RETURNING ended_at - began_at AS lasted
), here AS (
    INSERT INTO usher.replicas (replica, served_until) VALUES (:replica, now())
    ON CONFLICT (replica) DO UPDATE SET served_until = now()
)
SELECT extract(epoch FROM lasted) FROM outage
""")

_DELETE_OLD = text("""
WITH old AS (
    SELECT replica FROM usher.replicas
    WHERE served_until < now() - make_interval(days => :days)
      AND served_until < (SELECT max(served_until) FROM usher.replicas)
    ORDER BY replica FOR UPDATE SKIP LOCKED
), replicas AS (
    DELETE FROM usher.replicas r USING old WHERE r.replica = old.replica
)
DELETE FROM usher.outages WHERE began_at IN (
    SELECT began_at FROM usher.outages WHERE ended_at < now() - make_interval(days => :days)
    ORDER BY began_at FOR UPDATE SKIP LOCKED
)
""")


async def record_served(connection: AsyncConnection, replica: str) -> float | None:
    """Record that `replica` can take callbacks now; the length in seconds of an outage that this ends, else None."""
    lasted = await connection.scalar(_RECORD, {"replica": replica})
    return float(lasted) if lasted is not None else None


async def delete_old(connection: AsyncConnection) -> None:
    """Delete replicas and outages from before any live bot."""
    await connection.execute(_DELETE_OLD, {"days": KEEP_DAYS})
