"""Counting the ends of bots by platform, status and fault, as the audit trail has them."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.service_level import EndCount

_COUNT = text("""
SELECT coalesce(m.platform, 'unknown') AS platform, t.to_status AS status, t.fault, b.joined_at IS NOT NULL AS joined,
       count(*) AS count
FROM usher.transitions t JOIN usher.bots b USING (meeting_id) LEFT JOIN meetings m ON m.id = b.meeting_id
WHERE t.at > now() - make_interval(secs => CAST(:since_s AS float8)) AND t.to_status IN ('completed', 'failed')
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
""")


async def count_ends(connection: AsyncConnection, *, since_s: float) -> list[EndCount]:
    """The bots that ended within the last `since_s` seconds."""
    return [EndCount(**row._mapping) for row in await connection.execute(_COUNT, {"since_s": since_s})]
