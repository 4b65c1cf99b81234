"""Live rows that an older deployment left behind: they hold slots, and no bot of Usher's stands behind them.

Usher writes them only when the operator of the installation confirms that their bots are gone. The end is noted where
such a row keeps its history: in `status_transition` of its data.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.states import HOLDS_SLOT

_LIVE_LEGACY = """
FROM meetings m LEFT JOIN users u ON u.id = m.user_id
WHERE lower(btrim(m.status)) = ANY(:holds) AND NOT EXISTS (SELECT FROM usher.bots b WHERE b.meeting_id = m.id)
  AND coalesce(m.updated_at, m.created_at, '-infinity')
      <= (now() AT TIME ZONE 'utc') - make_interval(secs => CAST(:idle_s AS float8))
"""

_LIST = text(
    "SELECT m.id, m.user_id, u.email, m.platform, m.platform_specific_id AS native_id, m.status, m.bot_container_id,"
    " m.created_at, m.updated_at" + _LIVE_LEGACY + "ORDER BY m.id"
)

_END = text(
    """
UPDATE meetings SET
    status = 'failed', end_time = coalesce(end_time, now() AT TIME ZONE 'utc'), updated_at = now() AT TIME ZONE 'utc',
    data = CASE WHEN jsonb_typeof(data) = 'object' THEN data ELSE '{}' END || jsonb_build_object(
        'failure_stage', CASE lower(btrim(status)) WHEN 'stopping' THEN 'active' WHEN 'reserved' THEN 'requested'
            WHEN 'starting' THEN 'joining' WHEN 'needs_help' THEN 'awaiting_admission'
            WHEN 'needs_human_help' THEN 'awaiting_admission' ELSE lower(btrim(status)) END,
        'status_transition',
        CASE WHEN jsonb_typeof(data -> 'status_transition') = 'array' THEN data -> 'status_transition' ELSE '[]' END
        || jsonb_build_array(jsonb_build_object(
            'from', status, 'to', 'failed', 'source', 'operator', 'reason', 'ended_at_adoption',
            'timestamp', to_char(now() AT TIME ZONE 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))))
WHERE id IN (SELECT m.id """
    + _LIVE_LEGACY
    + """ AND m.id = ANY(:ids) ORDER BY m.id FOR NO KEY UPDATE OF m)
RETURNING id
"""
)


@dataclass(frozen=True, kw_only=True)
class LegacyMeeting:
    """One live row that Usher does not own. Times are naive UTC, as Vexa keeps them."""

    id: int
    user_id: int
    email: str | None
    platform: str
    native_id: str | None
    status: str
    bot_container_id: str | None
    created_at: datetime | None
    updated_at: datetime | None


async def live_legacy_meetings(connection: AsyncConnection, *, idle_s: float) -> list[LegacyMeeting]:
    """Every such row that nobody has updated for `idle_s` seconds."""
    rows = await connection.execute(_LIST, {"holds": sorted(HOLDS_SLOT), "idle_s": idle_s})
    return [LegacyMeeting(**row._mapping) for row in rows]


async def end_legacy_meetings(connection: AsyncConnection, meeting_ids: Sequence[int], *, idle_s: float) -> list[int]:
    """Fail those of them that are still live and idle; the ids of those that were."""
    values = {"holds": sorted(HOLDS_SLOT), "idle_s": idle_s, "ids": list(meeting_ids)}
    return sorted(row.id for row in await connection.execute(_END, values))
