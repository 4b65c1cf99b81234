"""Every change of a meeting's status: guarded, audited, told and final, in one statement.

`_MOVE` locks the rows that may move (re-checking the guard on their newest version), changes the status, notes the
transition, puts its webhooks into the outbox, and on a terminal status ends the heartbeat row. Whoever comes second
finds no row to move. A statement serves one bot's callback and a whole sweep alike; only what it picks differs.

Locks are taken in the order meetings, bots, heartbeats; a heartbeat takes the last alone.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import IntegrityError
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.bots import BOT_COLUMNS, Bot, bot_by_connection, last_transition, to_bot
from usher_models.db.engine import fetch
from usher_models.db.webhook_outbox import OUTBOX
from usher_models.errors import AnotherPodSpeaks, Forbidden, IllegalMove, MeetingOver, UnknownConnection
from usher_models.states import LIVE, TERMINAL, Judgement, Source, Stage, Status, judge, legal_origins, sentence

_MOVE = f"""
, meeting AS (
    UPDATE meetings m
    SET status = picked.target,
        updated_at = now() AT TIME ZONE 'utc',
        start_time = CASE WHEN picked.target IN ('starting', 'active')
                          THEN coalesce(m.start_time, now() AT TIME ZONE 'utc') ELSE m.start_time END,
        end_time = CASE WHEN picked.terminal THEN now() AT TIME ZONE 'utc' ELSE m.end_time END
    FROM picked WHERE m.id = picked.id
    RETURNING m.id, m.user_id, m.platform, m.platform_specific_id, m.status, m.start_time, m.end_time, m.created_at,
              m.updated_at
), bot AS (
    UPDATE usher.bots b
    SET transition_seq = b.transition_seq + 1,
        revision = b.revision + 1,
        status_changed_at = now(),
        pod_uid = coalesce(b.pod_uid, picked.pod_uid),
        stage = CASE WHEN picked.terminal THEN NULL ELSE coalesce(picked.stage, b.stage) END,
        started_at = CASE WHEN picked.terminal THEN b.started_at ELSE coalesce(b.started_at, now()) END,
        joined_at = CASE WHEN picked.target = 'active' THEN coalesce(b.joined_at, now()) ELSE b.joined_at END,
        ended_at = CASE WHEN picked.terminal THEN now() END,
        reason = picked.reason,
        message = picked.message
    FROM picked WHERE b.meeting_id = picked.id
    RETURNING b.*
), ended AS (
    DELETE FROM usher.heartbeats h USING picked WHERE h.meeting_id = picked.id AND picked.terminal
), beat AS (
    UPDATE usher.heartbeats h SET at = now() FROM picked
    WHERE h.meeting_id = picked.id AND NOT picked.terminal AND picked.source = 'bot'
), noted AS (
    INSERT INTO usher.transitions (meeting_id, seq, from_status, to_status, source, reason, event_id, detail)
    SELECT bot.meeting_id, bot.transition_seq, picked.status, picked.target, picked.source, picked.reason,
           picked.event_id, picked.detail
    FROM bot JOIN picked ON picked.id = bot.meeting_id
    RETURNING *
), {OUTBOX}
"""
_MOVED = """
SELECT bot.meeting_id, bot.connection_id, bot.job_name, bot.request_namespace, picked.status AS origin, picked.reason
FROM bot JOIN picked ON picked.id = bot.meeting_id
"""
_SEEN = f"SELECT {BOT_COLUMNS} FROM bot b JOIN meeting m ON m.id = b.meeting_id"

_GIVEN = (
    "m.id, m.status, CAST(:target AS varchar) AS target, CAST(:terminal AS boolean) AS terminal,"
    " CAST(:source AS varchar) AS source, CAST(:stage AS varchar) AS stage"
)

_PICK_ONE = f"""
WITH picked AS (
    SELECT {_GIVEN}, CAST(:pod_uid AS varchar) AS pod_uid, CAST(:reason AS varchar) AS reason,
           CAST(:message AS text) AS message, CAST(:event_id AS varchar) AS event_id, CAST(:detail AS jsonb) AS detail
    FROM usher.bots b JOIN meetings m ON m.id = b.meeting_id
    WHERE b.connection_id = :connection_id
      AND m.status = ANY(:origins)
      AND (CAST(:pod_uid AS varchar) IS NULL OR b.pod_uid IS NULL OR b.pod_uid = :pod_uid)
      AND (CAST(:job_name AS varchar) IS NULL OR b.job_name = :job_name AND b.request_namespace = :namespace)
    FOR UPDATE OF m, b
)
"""

_PICK_MANY = f"""
WITH given AS (
    SELECT * FROM unnest(CAST(:ids AS integer[]), CAST(:reasons AS varchar[]), CAST(:messages AS text[]),
                         CAST(:details AS jsonb[])) AS g (id, reason, message, detail)
), picked AS (
    SELECT {_GIVEN}, CAST(NULL AS varchar) AS pod_uid, given.reason, given.message,
           CAST(NULL AS varchar) AS event_id, given.detail
    FROM given
    JOIN usher.bots b ON b.meeting_id = given.id
    JOIN meetings m ON m.id = b.meeting_id
    JOIN usher.heartbeats h ON h.meeting_id = b.meeting_id
    WHERE m.status = ANY(:origins) AND {{guard}}
    FOR UPDATE OF m, b, h SKIP LOCKED
)
"""

_NOTE_LATE = text("""
WITH picked AS (
    SELECT m.id, m.status
    FROM usher.bots b JOIN meetings m ON m.id = b.meeting_id
    WHERE b.connection_id = :connection_id AND m.status = ANY(:live)
    FOR UPDATE OF m, b
), bot AS (
    UPDATE usher.bots b SET transition_seq = b.transition_seq + 1 FROM picked WHERE b.meeting_id = picked.id
    RETURNING b.meeting_id, b.transition_seq
)
INSERT INTO usher.transitions (meeting_id, seq, from_status, to_status, source, reason, event_id)
SELECT bot.meeting_id, bot.transition_seq, picked.status, picked.status, 'bot', 'late_started', :event_id
FROM bot JOIN picked ON picked.id = bot.meeting_id
RETURNING seq
""")

EVENT_KEY = "transitions_event_id_key"


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a bot says of itself. `pod_uid` is its proven identity; `reason` defaults by the caller.

    `namespace` and `job_name` are the Job's whose pod says it, as its token proves; without them that is not checked.
    """

    connection_id: str
    target: Status
    reason: str
    pod_uid: str | None
    message: str | None = None
    event_id: str | None = None
    stage: Stage | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    namespace: str | None = None
    job_name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Applied:
    """The answer to a report: the meeting as it is now, and whether the report changed it."""

    bot: Bot
    applied: bool


@dataclass(frozen=True, kw_only=True)
class Closing:
    """One meeting to end, and why. `detail` keeps the pod's last words."""

    meeting_id: int
    reason: str
    message: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Moved:
    """One meeting that was moved."""

    meeting_id: int
    connection_id: str
    job_name: str
    namespace: str | None
    origin: str
    reason: str


async def report(connection: AsyncConnection, told: Report) -> Applied:
    """Apply what a bot reports, once, in one exchange; for a connection that commits by itself (`Database.at_once`).

    A repeat answers the same and changes nothing. Raises UnknownConnection, Forbidden, MeetingOver, AnotherPodSpeaks,
    IllegalMove. None of that is worth a transaction: psycopg prepares every statement anew after one was rolled back.
    """
    moved = await _move_one(connection, told)
    if moved is not None:
        return Applied(bot=moved, applied=True)
    bot = await bot_by_connection(connection, told.connection_id)
    if bot is None:
        raise UnknownConnection(f"No meeting has the connection id {told.connection_id!r}.")
    await _explain(connection, told, bot=bot)
    return Applied(bot=bot, applied=False)


async def _move_one(connection: AsyncConnection, told: Report) -> Bot | None:
    """The bot as it is then; None when nothing moves, also because its meeting knows the event already."""
    moved = await _unless_known(connection, _ONE, _told(told, Source.BOT))
    return to_bot(moved[0]) if moved else None


async def _unless_known(
    connection: AsyncConnection, statement: TextClause, values: dict[str, Any]
) -> list[dict[str, Any]]:
    """The statement's rows; none when the meeting knows the event already."""
    try:
        rows = await fetch(connection, statement, values)
    except IntegrityError as exc:
        if EVENT_KEY not in str(exc):
            raise
        return []
    return rows


def _told(told: Report, source: Source) -> dict[str, Any]:
    return _values(told.target, source) | {
        "connection_id": told.connection_id,
        "pod_uid": told.pod_uid,
        "reason": told.reason,
        "message": told.message or sentence(told.reason),
        "event_id": told.event_id,
        "detail": json.dumps(told.detail),
        "stage": told.stage,
        "namespace": told.namespace,
        "job_name": told.job_name,
    }


async def _explain(connection: AsyncConnection, told: Report, *, bot: Bot) -> None:
    """Return when `told`, which moved nothing, is a repeat or old news; raise what it is otherwise."""
    if told.job_name is not None and (told.namespace, told.job_name) != (bot.request_namespace, bot.job_name):
        raise Forbidden(f"The token belongs to a pod of the Job {told.job_name}, which is not this meeting's.")
    last = await last_transition(connection, bot.meeting_id) if bot.status in TERMINAL else None
    found = judge(
        told.target,
        bot.status,
        fenced=bool(told.pod_uid and bot.pod_uid and told.pod_uid != bot.pod_uid),
        known=True,
        ended_by_bot=last is not None and last.source == Source.BOT,
    )
    if found is Judgement.ANOTHER_POD_SPEAKS:
        raise AnotherPodSpeaks
    if found is Judgement.OVER:
        raise MeetingOver(meeting_id=bot.meeting_id, status=bot.status)
    if found is Judgement.ILLEGAL:
        raise IllegalMove(f"The meeting is {bot.status}; it cannot become {told.target}.")
    if found is Judgement.LATE and told.event_id:
        values = {"connection_id": bot.connection_id, "live": sorted(LIVE), "event_id": told.event_id}
        await _unless_known(connection, _NOTE_LATE, values)


async def move_reserved(
    connection: AsyncConnection, connection_id: str, *, target: Status, source: Source, reason: str, message: str | None
) -> bool:
    """Let the operator or the API end a reservation whose bot never existed; whether it did.

    The Job must not exist: a bot that runs owns its state.
    """
    wanted = Report(connection_id=connection_id, target=target, reason=reason, pod_uid=None, message=message)
    return bool(await fetch(connection, _ONE, _told(wanted, source)))


async def close_many(
    connection: AsyncConnection,
    closings: Sequence[Closing],
    *,
    target: Status,
    source: Source,
    guard: str = "true",
    guard_values: dict[str, Any] | None = None,
) -> list[Moved]:
    """End those meetings that are still where `source` may end them and still meet `guard`; the ones ended.

    Rows that somebody else holds are skipped: a heartbeat or a callback on its way wins; the next sweep looks again.
    """
    if not closings:
        return []
    values = _values(target, source) | {
        "ids": [closing.meeting_id for closing in closings],
        "reasons": [closing.reason for closing in closings],
        "messages": [closing.message or sentence(closing.reason) for closing in closings],
        "details": [json.dumps(closing.detail) for closing in closings],
        "stage": None,
    }
    rows = await connection.execute(
        text(_PICK_MANY.format(guard=guard) + _MOVE + _MOVED), values | (guard_values or {})
    )
    return [
        Moved(
            meeting_id=row.meeting_id,
            connection_id=row.connection_id,
            job_name=row.job_name,
            namespace=row.request_namespace,
            origin=row.origin,
            reason=row.reason,
        )
        for row in rows
    ]


def _values(target: Status, source: Source) -> dict[str, Any]:
    return {
        "target": target,
        "terminal": target in TERMINAL,
        "source": source,
        "origins": sorted(legal_origins(target, source)),
    }


_ONE: TextClause = text(_PICK_ONE + _MOVE + _SEEN)
