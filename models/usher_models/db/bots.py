"""Reading bots: one, many, and the transitions of one.

Vexa's programs and people write into `meetings` too. A row whose status Usher does not know is left out of every list,
so that it stops no other; asked for by itself it raises RowUnreadable. `unreadable_bots` lists such rows.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.engine import fetch
from usher_models.errors import RowUnreadable
from usher_models.states import LIVE, Desired, Status


@dataclass(frozen=True, kw_only=True)
class BotSummary:
    """What a sweep decides by. A sweep holds every live bot, so what users fill (spec, config) is not among it."""

    meeting_id: int
    user_id: int
    status: Status
    connection_id: str
    request_namespace: str | None
    request_name: str | None
    request_uid: str | None
    request_generation: int
    job_name: str
    job_created_at: datetime | None
    pod_uid: str | None
    desired: Desired
    leave_reason: str | None
    stage: str | None
    joined_at: datetime | None
    reason: str

    @property
    def live(self) -> bool:
        """True if the meeting holds a slot."""
        return self.status in LIVE

    @property
    def joined(self) -> bool:
        """True if the bot has been in its meeting."""
        return self.joined_at is not None


@dataclass(frozen=True, kw_only=True)
class Bot(BotSummary):
    """One meeting that Usher owns: the row of Vexa's and Usher's own beside it. Times are aware UTC."""

    platform: str
    native_id: str
    spec: dict[str, Any]
    leave_requested_at: datetime | None
    config: dict[str, Any]
    config_generation: int
    applied_generation: int
    participants: int | None
    lobby_timeout_s: int
    max_duration_s: int
    reserved_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    status_changed_at: datetime
    message: str
    fault: str | None
    revision: int
    written_revision: int
    written_status: str | None

    @property
    def driver(self) -> str | None:
        """What plays the bot, chosen with the reservation; None for a row from before that was noted."""
        return self.config.get("driver")


@dataclass(frozen=True, kw_only=True)
class StaleBot(BotSummary):
    """A bot beyond a limit, and when it last reported."""

    reported_at: datetime
    unreported_s: float

    @property
    def found_at(self) -> datetime:
        """When it was found to be stale, by the database's clock."""
        return self.reported_at + timedelta(seconds=self.unreported_s)


@dataclass(frozen=True, kw_only=True)
class UnreadableBot:
    """A live bot whose meeting has a status that Usher does not know."""

    meeting_id: int
    status: str | None


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
    fault: str | None
    detail: dict[str, Any]
    at: datetime


# `b` is a row of usher.bots and `m` one of meetings, wherever they come from.
BOT_COLUMNS = """
       b.meeting_id, b.user_id, m.platform, m.platform_specific_id AS native_id, m.status, b.connection_id,
       b.request_namespace, b.request_name, b.request_uid, b.request_generation, b.spec, b.job_name, b.job_created_at,
       b.pod_uid, b.desired, b.leave_requested_at, b.leave_reason, b.config, b.config_generation, b.applied_generation,
       b.stage, b.participants, b.lobby_timeout_s, b.max_duration_s, b.reserved_at, b.started_at, b.joined_at,
       b.ended_at, b.status_changed_at, b.reason, b.message, b.fault, b.revision, b.written_revision, b.written_status
"""
SUMMARY_COLUMNS = """
       b.meeting_id, b.user_id, m.status, b.connection_id, b.request_namespace, b.request_name, b.request_uid,
       b.request_generation, b.job_name, b.job_created_at, b.pod_uid, b.desired, b.leave_reason, b.stage, b.joined_at,
       b.reason
"""
FROM_BOTS = "FROM usher.bots b JOIN meetings m ON m.id = b.meeting_id\n"
SELECT_BOT = f"SELECT {BOT_COLUMNS} {FROM_BOTS}"
SELECT_SUMMARY = f"SELECT {SUMMARY_COLUMNS} {FROM_BOTS}"
# Others may have ended the meeting, or given it a status that Usher does not know: `bots_live` is not enough.
IS_LIVE = f"b.ended_at IS NULL AND m.status IN ({', '.join(repr(str(status)) for status in sorted(LIVE))})"

Columns = Row[Any] | dict[str, Any]
AnyBot = TypeVar("AnyBot", bound=BotSummary)


def _to[AnyBot: BotSummary](kind: type[AnyBot], row: Columns) -> AnyBot:
    found = row if isinstance(row, dict) else row._mapping
    values = {name: found[name] for name in kind.__dataclass_fields__}
    try:
        values["status"] = Status(values["status"])
    except ValueError as exc:
        raise RowUnreadable(
            f"Meeting {values['meeting_id']} has the status {values['status']!r}, which Usher does not know."
        ) from exc
    values["desired"] = Desired(values["desired"])
    return kind(**values)


def to_bot(row: Columns) -> Bot:
    """The Bot in a row that has BOT_COLUMNS, and maybe others. Raises RowUnreadable."""
    return _to(Bot, row)


def to_bots[AnyBot: BotSummary](rows: Iterable[Columns], kind: type[AnyBot]) -> list[AnyBot]:
    """The bots in those of the rows that can be read."""
    found = []
    for row in rows:
        with suppress(RowUnreadable):
            found.append(_to(kind, row))
    return found


BY_CONNECTION = text(SELECT_BOT + "WHERE b.connection_id = :connection_id")
_BY_ID = text(SELECT_BOT + "WHERE b.meeting_id = :meeting_id")
_BY_JOBS = text(SELECT_BOT + "WHERE b.meeting_id = ANY(:ids)")
_REQUESTS_OF = text(
    """
SELECT connection_id, request_uid AS uid, request_generation AS generation, ended_at IS NOT NULL AS ended,
       job_created_at IS NOT NULL AS job_created, desired = 'leave' AS leaving
FROM usher.bots WHERE connection_id = ANY(:ids)
"""
)
_LIVE = text(f"{SELECT_BOT} WHERE {IS_LIVE} ORDER BY b.meeting_id")
_LIVE_SUMMARIES = text(f"{SELECT_SUMMARY} WHERE {IS_LIVE} ORDER BY b.meeting_id")
_UNREADABLE = text(
    f"SELECT b.meeting_id, m.status {FROM_BOTS} WHERE b.ended_at IS NULL"
    " AND (m.status IS NULL OR m.status <> ALL(:known)) ORDER BY b.meeting_id"
)

_MARK_JOBS_CREATED = text("""
WITH made AS (
    SELECT meeting_id FROM usher.bots WHERE meeting_id = ANY(:ids) AND job_created_at IS NULL
    ORDER BY meeting_id FOR NO KEY UPDATE
)
UPDATE usher.bots b SET job_created_at = now(), revision = revision + 1
FROM made WHERE b.meeting_id = made.meeting_id
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
    return {bot.meeting_id: bot for bot in to_bots(rows, Bot)}


async def requests_of(connection: AsyncConnection, connection_ids: Sequence[str]) -> dict[str, Requested]:
    """What was carried out of the BotRequest that each of those connection ids belongs to; unknown ones lack."""
    rows = await fetch(connection, _REQUESTS_OF, {"ids": list(connection_ids)})
    return {row.pop("connection_id"): Requested(**row) for row in rows}


async def live_bots(connection: AsyncConnection) -> list[Bot]:
    """Every bot that holds a slot."""
    return to_bots(await fetch(connection, _LIVE, {}), Bot)


async def live_summaries(connection: AsyncConnection) -> list[BotSummary]:
    """The same, without what users fill."""
    return to_bots(await fetch(connection, _LIVE_SUMMARIES, {}), BotSummary)


async def unreadable_bots(connection: AsyncConnection) -> list[UnreadableBot]:
    """The live bots that every list leaves out."""
    rows = await connection.execute(_UNREADABLE, {"known": [str(status) for status in Status]})
    return [UnreadableBot(**row._mapping) for row in rows]


async def live_connections(connection: AsyncConnection) -> list[tuple[int, str]]:
    """The meeting id and the connection id of every bot that holds a slot."""
    rows = await connection.execute(text("SELECT meeting_id, connection_id FROM usher.bots WHERE ended_at IS NULL"))
    return [(row.meeting_id, row.connection_id) for row in rows]


async def mark_jobs_created(connection: AsyncConnection, meeting_ids: Sequence[int]) -> None:
    """Note that the Jobs of those bots exist; the first time counts."""
    await fetch(connection, _MARK_JOBS_CREATED, {"ids": list(meeting_ids)})


_TRANSITIONS = (
    "SELECT seq, from_status AS origin, to_status AS target, source, reason, fault, detail, at"
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
