"""Meetings as their owners see them: Usher's own, and rows of an older deployment.

Rows of an older deployment are read as they are, and never changed while they are live.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.bots import Bot
from usher_models.db.engine import fetch
from usher_models.db.vexa_tables import holds_slot
from usher_models.errors import MeetingLive, NotFound, NotOwned
from usher_models.platforms import Platform, parse_platform, spellings
from usher_models.states import HOLDS_SLOT, TERMINAL

PLANNED = ("idle", "scheduled")


@dataclass(frozen=True, kw_only=True)
class Record:
    """One row of `meetings`, with Usher's own columns if Usher owns the meeting. Vexa's times are naive UTC."""

    id: int
    user_id: int
    platform: str
    native_id: str | None
    status: str
    bot_container_id: str | None
    start_time: datetime | None
    end_time: datetime | None
    data: dict[str, Any]
    created_at: datetime | None
    updated_at: datetime | None
    owned: bool
    url: str | None
    stage: str | None
    reason: str | None
    message: str | None
    fault: str | None
    last_status: str | None

    @property
    def ended(self) -> bool:
        """True if the status is final."""
        return self.status.strip().lower() in TERMINAL


@dataclass(frozen=True, kw_only=True)
class Session:
    """One session of a meeting."""

    id: int
    session_uid: str
    session_start_time: datetime | None


@dataclass(frozen=True, kw_only=True)
class Filter:
    """A filter on meetings. `search` looks into the native id and the name; `in_lobby` tells starting bots apart."""

    limit: int
    offset: int = 0
    statuses: list[str] | None = None
    in_lobby: bool | None = None
    platform: str | None = None
    native_id: str | None = None
    search: str | None = None
    exclude_planned: bool = False

    @property
    def spellings(self) -> list[str] | None:
        """What the native id may be called in the database; None when any will do."""
        if self.native_id is None:
            return None
        platforms = [parse_platform(self.platform)] if self.platform else list(Platform)
        return sorted({one for platform in platforms for one in spellings(platform, self.native_id)})


SELECT_RECORD = """
SELECT m.id, m.user_id, coalesce(m.platform, 'unknown') AS platform, m.platform_specific_id AS native_id,
       coalesce(m.status, 'unknown') AS status, m.bot_container_id, m.start_time,
       m.end_time, CASE WHEN jsonb_typeof(m.data) = 'object' THEN m.data ELSE '{}' END AS data, m.created_at,
       m.updated_at, b.meeting_id IS NOT NULL AS owned, b.config ->> 'meeting_url' AS url, b.stage, b.reason, b.message,
       b.fault,
       (SELECT t.from_status FROM usher.transitions t
        WHERE t.meeting_id = m.id AND t.to_status = m.status AND m.status = 'failed' ORDER BY t.seq DESC LIMIT 1)
       AS last_status
FROM meetings m LEFT JOIN usher.bots b ON b.meeting_id = m.id
"""

_OF_USER = """
WHERE m.user_id = :user_id
  AND (CAST(:statuses AS varchar[]) IS NULL OR lower(btrim(m.status)) = ANY(:statuses))
  AND (CAST(:in_lobby AS boolean) IS NULL OR m.status <> 'starting'
       OR coalesce(b.stage = 'lobby', false) = CAST(:in_lobby AS boolean))
  AND (CAST(:platform AS varchar) IS NULL OR m.platform = :platform)
  AND (CAST(:spellings AS varchar[]) IS NULL OR m.platform_specific_id = ANY(CAST(:spellings AS varchar[])))
  AND (CAST(:search AS varchar) IS NULL OR strpos(lower(m.platform_specific_id), lower(:search)) > 0
       OR strpos(lower(m.data ->> 'name'), lower(:search)) > 0)
  AND NOT (CAST(:exclude_planned AS boolean) AND m.status = ANY(:planned))
"""

_ON_PLATFORM = " AND (CAST(:platform AS varchar) IS NULL OR m.platform = :platform)"
_HOLDS_SLOT = f"WHERE m.user_id = :user_id AND {holds_slot('m.status')}{_ON_PLATFORM} "
_BY_ID = text(SELECT_RECORD + "WHERE m.id = :id AND m.user_id = :user_id")
_LIST = text(SELECT_RECORD + _OF_USER + "ORDER BY m.id DESC LIMIT :limit OFFSET :offset")
_HOLDING = text(SELECT_RECORD + _HOLDS_SLOT + "ORDER BY m.id DESC")
_EVERY = text(SELECT_RECORD + "ORDER BY m.id DESC LIMIT :limit OFFSET :offset")
# The live meeting if there is one, else the newest.
_NEWEST = text(
    SELECT_RECORD
    + """WHERE m.user_id = :user_id AND m.platform = :platform AND m.platform_specific_id = ANY(:spellings)
ORDER BY coalesce(lower(btrim(m.status)) IN ('completed', 'failed'), false), m.platform_specific_id <> :native_id,
         m.id DESC
LIMIT 1"""
)


def _record(row: Row[Any]) -> Record:
    return Record(**row._mapping)


def of_new(bot: Bot) -> Record:
    """The record of a bot that was just reserved, equal to what `meeting` reads later."""
    at = bot.reserved_at.astimezone(UTC).replace(tzinfo=None)
    return Record(
        id=bot.meeting_id,
        user_id=bot.user_id,
        platform=bot.platform,
        native_id=bot.native_id,
        status=bot.status,
        bot_container_id=bot.job_name,
        start_time=None,
        end_time=None,
        data={},
        created_at=at,
        updated_at=at,
        owned=True,
        url=bot.config.get("meeting_url"),
        stage=bot.stage,
        reason=bot.reason,
        message=bot.message,
        fault=bot.fault,
        last_status=None,
    )


async def meeting(connection: AsyncConnection, meeting_id: int, *, user_id: int) -> Record:
    """One meeting of that user. Raises NotFound, also for another user's."""
    rows = await fetch(connection, _BY_ID, {"id": meeting_id, "user_id": user_id})
    if not rows:
        raise NotFound(f"You have no meeting {meeting_id}.")
    return Record(**rows[0])


async def newest(connection: AsyncConnection, platform: str, native_id: str, *, user_id: int) -> Record:
    """The user's live meeting of that platform and native id, in whatever spelling, else the newest one.

    Raises NotFound.
    """
    values: dict[str, Any] = {"user_id": user_id, "platform": platform, "native_id": native_id}
    values["spellings"] = list(spellings(parse_platform(platform), native_id))
    row = (await connection.execute(_NEWEST, values)).one_or_none()
    if row is None:
        raise NotFound(f"You have no {platform} meeting {native_id}.")
    return _record(row)


async def listed(connection: AsyncConnection, user_id: int, which: Filter) -> list[Record]:
    """The user's meetings that pass the filter, the newest first."""
    values = {"user_id": user_id, "planned": list(PLANNED), "spellings": which.spellings} | vars(which)
    return [_record(row) for row in await connection.execute(_LIST, values)]


async def holding_slots(connection: AsyncConnection, user_id: int, *, platform: str | None = None) -> list[Record]:
    """The user's meetings that hold a slot, the newest first."""
    values = {"user_id": user_id, "holds": sorted(HOLDS_SLOT), "platform": platform}
    rows = await connection.execute(_HOLDING, values)
    return [_record(row) for row in rows]


async def of_all_users(connection: AsyncConnection, *, limit: int, offset: int) -> tuple[int, list[Record]]:
    """The number of all meetings, and one page of them, the newest first."""
    total = int((await connection.execute(text("SELECT count(*) FROM meetings"))).scalar_one())
    rows = await connection.execute(_EVERY, {"limit": limit, "offset": offset})
    return total, [_record(row) for row in rows]


async def sessions(connection: AsyncConnection, meeting_id: int) -> Sequence[Session]:
    """The sessions of one meeting, oldest first."""
    rows = await connection.execute(
        text(
            "SELECT id, session_uid, session_start_time FROM meeting_sessions"
            " WHERE meeting_id = :id ORDER BY session_start_time, id"
        ),
        {"id": meeting_id},
    )
    return [Session(**row._mapping) for row in rows]


_DESCRIBE = text("""
UPDATE meetings
SET data = CASE WHEN jsonb_typeof(data) = 'object' THEN data ELSE '{}' END || CAST(:data AS jsonb),
    updated_at = now() AT TIME ZONE 'utc'
WHERE id = :id
""")


async def describe(connection: AsyncConnection, record: Record, data: dict[str, Any]) -> None:
    """Merge the owner's notes into the meeting's data. Raises NotOwned."""
    if not record.owned and not record.ended:
        raise NotOwned
    await connection.execute(_DESCRIBE, {"id": record.id, "data": json.dumps(data)})


_FORGET = """
WITH meeting AS (
    UPDATE meetings SET platform_specific_id = NULL, data = '{"redacted": true}', updated_at = now() AT TIME ZONE 'utc'
    WHERE id = :id AND lower(btrim(status)) IN ('completed', 'failed')
    RETURNING id
), evidence AS (
    DELETE FROM usher.evidence e USING meeting WHERE e.meeting_id = meeting.id
), deliveries AS (
    DELETE FROM usher.webhook_deliveries d USING meeting
    WHERE d.meeting_id = meeting.id AND d.state IN ('delivered', 'failed')
)
UPDATE usher.bots b SET config = '{}', spec = '{}', erase_requested_at = now()
FROM meeting WHERE b.meeting_id = meeting.id
"""


async def forget(connection: AsyncConnection, record: Record) -> None:
    """Delete the private data of an ended meeting: its id, its data, its transcript, its evidence and its finished
    webhooks. The reconciler deletes its BotRequest and Job.

    The audit trail stays, and so do webhooks that are still to be sent. Raises MeetingLive while the meeting holds a
    slot or is planned.
    """
    if not record.ended:
        raise MeetingLive if record.owned else NotOwned
    await connection.execute(text(_FORGET), {"id": record.id})
    if await connection.scalar(text("SELECT to_regclass('transcriptions') IS NOT NULL")):
        await connection.execute(text("DELETE FROM transcriptions WHERE meeting_id = :id"), {"id": record.id})
