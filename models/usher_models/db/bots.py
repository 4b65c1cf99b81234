"""Reading bots: one, many, and the transitions of one."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.engine import fetch
from usher_models.states import LIVE, Desired, Status


@dataclass(frozen=True, kw_only=True)
class Bot:
    """One meeting that Usher owns: the row of Vexa's and Usher's own beside it. Times are aware UTC."""

    meeting_id: int
    user_id: int
    platform: str
    native_id: str
    status: Status
    connection_id: str
    request_namespace: str | None
    request_name: str | None
    request_uid: str | None
    request_generation: int
    spec: dict[str, Any]
    job_name: str
    job_created_at: datetime | None
    pod_uid: str | None
    desired: Desired
    leave_requested_at: datetime | None
    leave_reason: str | None
    config: dict[str, Any]
    config_generation: int
    applied_generation: int
    stage: str | None
    participants: int | None
    lobby_timeout_s: int
    max_duration_s: int
    reserved_at: datetime
    started_at: datetime | None
    joined_at: datetime | None
    ended_at: datetime | None
    status_changed_at: datetime
    reason: str
    message: str
    revision: int
    written_revision: int
    written_status: str | None

    @property
    def live(self) -> bool:
        """Whether the meeting holds a slot."""
        return self.status in LIVE


@dataclass(frozen=True, kw_only=True)
class Requested:
    """How much of a BotRequest was carried out: the uid is None as long as none stands for the row."""

    uid: str | None
    generation: int
    ended: bool
    job_created: bool
    leaving: bool


@dataclass(frozen=True, kw_only=True)
class Transition:
    """One line of a meeting's story."""

    seq: int
    origin: str | None
    target: str
    source: str
    reason: str
    detail: dict[str, Any]
    at: datetime


# `b` is a row of usher.bots and `m` one of meetings, wherever they come from.
BOT_COLUMNS = """
       b.meeting_id, b.user_id, m.platform, m.platform_specific_id AS native_id, m.status, b.connection_id,
       b.request_namespace, b.request_name, b.request_uid, b.request_generation, b.spec, b.job_name, b.job_created_at,
       b.pod_uid, b.desired, b.leave_requested_at, b.leave_reason, b.config, b.config_generation, b.applied_generation,
       b.stage, b.participants, b.lobby_timeout_s, b.max_duration_s, b.reserved_at, b.started_at, b.joined_at,
       b.ended_at, b.status_changed_at, b.reason, b.message, b.revision, b.written_revision, b.written_status
"""
SELECT_BOT = f"SELECT {BOT_COLUMNS} FROM usher.bots b JOIN meetings m ON m.id = b.meeting_id\n"
_FIELDS = tuple(field.name for field in fields(Bot))


def to_bot(row: Row[Any] | dict[str, Any]) -> Bot:
    """The Bot in a row that has BOT_COLUMNS, and maybe others."""
    found = row if isinstance(row, dict) else row._mapping
    values = {name: found[name] for name in _FIELDS}
    values["status"] = Status(values["status"])
    values["desired"] = Desired(values["desired"])
    return Bot(**values)


BY_CONNECTION = text(SELECT_BOT + "WHERE b.connection_id = :connection_id")
_BY_ID = text(SELECT_BOT + "WHERE b.meeting_id = :meeting_id")
_BY_JOBS = text(SELECT_BOT + "WHERE b.meeting_id = ANY(:ids)")
_BY_REQUEST = text(SELECT_BOT + "WHERE b.request_name = ANY(:names) ORDER BY b.meeting_id")
_REQUESTS_OF = text(
    """
SELECT connection_id, request_uid AS uid, request_generation AS generation, ended_at IS NOT NULL AS ended,
       job_created_at IS NOT NULL AS job_created, desired = 'leave' AS leaving
FROM usher.bots WHERE connection_id = ANY(:ids)
"""
)
_LIVE = text(SELECT_BOT + "WHERE b.ended_at IS NULL ORDER BY b.meeting_id")

_MARK_JOBS_CREATED = text("""
UPDATE usher.bots SET job_created_at = now(), revision = revision + 1
WHERE meeting_id = ANY(:ids) AND job_created_at IS NULL
""")


async def bot_by_connection(connection: AsyncConnection, connection_id: str) -> Bot | None:
    """The bot with that connection id."""
    rows = await fetch(connection, BY_CONNECTION, {"connection_id": connection_id})
    return to_bot(rows[0]) if rows else None


async def bot_by_id(connection: AsyncConnection, meeting_id: int) -> Bot | None:
    """The bot of that meeting; None also for a meeting that Usher does not own."""
    rows = await fetch(connection, _BY_ID, {"meeting_id": meeting_id})
    return to_bot(rows[0]) if rows else None


async def bots_by_id(connection: AsyncConnection, meeting_ids: list[int]) -> dict[int, Bot]:
    """The bots among those meetings."""
    rows = await connection.execute(_BY_JOBS, {"ids": meeting_ids})
    return {row.meeting_id: to_bot(row) for row in rows}


async def newest_bots_by_request(connection: AsyncConnection, names: Sequence[str]) -> dict[str, Bot]:
    """The newest bot of each of those BotRequests, by their names, that has one."""
    rows = await connection.execute(_BY_REQUEST, {"names": list(names)})
    return {row.request_name: to_bot(row) for row in rows}


async def requests_of(connection: AsyncConnection, connection_ids: Sequence[str]) -> dict[str, Requested]:
    """What was carried out of the BotRequest that each of those connection ids belongs to; unknown ones lack."""
    rows = await fetch(connection, _REQUESTS_OF, {"ids": list(connection_ids)})
    return {row.pop("connection_id"): Requested(**row) for row in rows}


async def live_bots(connection: AsyncConnection) -> list[Bot]:
    """Every bot that holds a slot."""
    return [to_bot(row) for row in await fetch(connection, _LIVE, {})]


async def live_connections(connection: AsyncConnection) -> list[tuple[int, str]]:
    """The meeting id and the connection id of every bot that holds a slot."""
    rows = await connection.execute(text("SELECT meeting_id, connection_id FROM usher.bots WHERE ended_at IS NULL"))
    return [(row.meeting_id, row.connection_id) for row in rows]


async def mark_jobs_created(connection: AsyncConnection, meeting_ids: Sequence[int]) -> None:
    """Note that the Jobs of those bots exist; the first time counts."""
    await fetch(connection, _MARK_JOBS_CREATED, {"ids": list(meeting_ids)})


_TRANSITIONS = (
    "SELECT seq, from_status AS origin, to_status AS target, source, reason, detail, at"
    " FROM usher.transitions WHERE meeting_id = :meeting_id ORDER BY seq"
)


async def transitions(connection: AsyncConnection, meeting_id: int) -> list[Transition]:
    """The whole story of one meeting, oldest first."""
    rows = await connection.execute(text(_TRANSITIONS), {"meeting_id": meeting_id})
    return [Transition(**row._mapping) for row in rows]


async def last_transition(connection: AsyncConnection, meeting_id: int) -> Transition | None:
    """The newest line of the story."""
    row = (await connection.execute(text(_TRANSITIONS + " DESC LIMIT 1"), {"meeting_id": meeting_id})).one_or_none()
    return Transition(**row._mapping) if row is not None else None
