"""Changes of status in the order in which they happened, for those who follow meetings live."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# A transaction that began earlier may be committed later: the last seconds are read again.
OVERLAP_S = 10


@dataclass(frozen=True, kw_only=True)
class StatusChange:
    """One change; `at` is aware UTC."""

    meeting_id: int
    seq: int
    user_id: int
    platform: str
    native_id: str | None
    status: str
    at: datetime


_SINCE = text(f"""
SELECT t.meeting_id, t.seq, m.user_id, m.platform, m.platform_specific_id AS native_id, t.to_status AS status, t.at
FROM usher.transitions t JOIN meetings m ON m.id = t.meeting_id
WHERE t.at > CAST(:since AS timestamptz) - interval '{OVERLAP_S} s'
ORDER BY t.at, t.meeting_id, t.seq
LIMIT :limit
""")


async def now(connection: AsyncConnection) -> datetime:
    """The database's time."""
    at: datetime = (await connection.execute(text("SELECT now()"))).scalar_one()
    return at


async def changes_since(connection: AsyncConnection, since: datetime, *, limit: int) -> list[StatusChange]:
    """Changes since then and shortly before, the oldest first, at most `limit`."""
    rows = await connection.execute(_SINCE, {"since": since, "limit": limit})
    return [StatusChange(**row._mapping) for row in rows]
