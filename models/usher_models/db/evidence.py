"""The evidence of meetings that failed: which of it is still to be collected, and the bundles.

`DUE` is one part of a WITH. It reads two parts before it, `noted` (the row of usher.transitions) and `ended` (the
heartbeat row that was deleted). The failure and the note that its evidence is due are one commit, so none is missed,
whoever failed the meeting and whichever process died then.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.bots import BOT_COLUMNS, Bot, to_bots
from usher_models.db.engine import fetch
from usher_models.db.words import storable

DUE = """due AS (
    INSERT INTO usher.evidence (meeting_id, failed_at, heartbeat_at, heartbeat_seq)
    SELECT noted.meeting_id, noted.at, ended.at, ended.seq
    FROM noted LEFT JOIN ended ON ended.meeting_id = noted.meeting_id
    WHERE noted.to_status = 'failed'
    ON CONFLICT (meeting_id) DO NOTHING
)"""

# Another program may have deleted the meeting.
_DUE = text(f"""
SELECT {BOT_COLUMNS}, b.stages, e.failed_at, e.heartbeat_at, e.heartbeat_seq,
       CAST(extract(epoch FROM now() - e.failed_at) AS float8) AS waited_s
FROM usher.evidence e JOIN usher.bots b ON b.meeting_id = e.meeting_id CROSS JOIN LATERAL (
    SELECT coalesce(found.platform, '') AS platform, coalesce(found.platform_specific_id, '') AS platform_specific_id,
           'failed' AS status
    FROM (SELECT) AS one LEFT JOIN meetings found ON found.id = b.meeting_id OFFSET 0
) m
WHERE e.collected_at IS NULL AND (e.try_after IS NULL OR e.try_after <= now())
  AND (CAST(:ids AS integer[]) IS NULL OR e.meeting_id = ANY(:ids))
ORDER BY e.failed_at LIMIT :limit
""")
_STORE = text("""
UPDATE usher.evidence SET bundle = CAST(:bundle AS jsonb), collected_at = now()
WHERE meeting_id = :id AND collected_at IS NULL
""")
_PUT_OFF = text("UPDATE usher.evidence SET try_after = now() + make_interval(secs => :pause_s) WHERE meeting_id = :id")
_READ = text("SELECT collected_at, bundle FROM usher.evidence WHERE meeting_id = :id")


@dataclass(frozen=True, kw_only=True)
class FailedBot(Bot):
    """A bot whose evidence is to be collected, and what only its row knows of it. `waited_s`: since it failed."""

    stages: list[dict[str, Any]]
    failed_at: datetime
    heartbeat_at: datetime | None
    heartbeat_seq: int | None
    waited_s: float


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The evidence of one meeting; `bundle` is None until it is collected."""

    collected_at: datetime | None
    bundle: dict[str, Any] | None


async def due(connection: AsyncConnection, *, limit: int, meeting_ids: Sequence[int] | None = None) -> list[FailedBot]:
    """At most `limit` bots whose evidence is to be collected, the first to fail first; or those of `meeting_ids`."""
    values = {"ids": list(meeting_ids) if meeting_ids is not None else None, "limit": limit}
    return to_bots(await fetch(connection, _DUE, values), FailedBot)


async def store(connection: AsyncConnection, meeting_id: int, bundle: dict[str, Any]) -> None:
    """Keep a bundle, unless the meeting has one, or was erased meanwhile."""
    words = json.dumps(storable(connection, bundle))
    await fetch(connection, _STORE, {"id": meeting_id, "bundle": words})


async def put_off(connection: AsyncConnection, meeting_id: int, *, pause_s: float) -> None:
    """Try again later."""
    await fetch(connection, _PUT_OFF, {"id": meeting_id, "pause_s": pause_s})


async def read(connection: AsyncConnection, meeting_id: int) -> Evidence | None:
    """The evidence of a meeting; None if it did not fail, or if its evidence was deleted."""
    rows = await fetch(connection, _READ, {"id": meeting_id})
    return Evidence(**rows[0]) if rows else None
