"""Every change of a meeting's status: guarded, audited, announced and final, in one statement.

`_MOVE` locks the rows that may move (re-checking the guard on their newest version), changes the status, records the
transition, puts its webhooks into the outbox, and on a terminal status deletes the heartbeat row; of a meeting that
failed it notes that evidence is due. A second writer finds no row to move. The statement is the same for one bot's
callback and a whole sweep; only the rows it picks differ.

A transition's time is read when its rows are locked, and not when its transaction began, which may have waited for
them: the times of a trail are in the order of its commits.

Locks are taken in the order meetings, bots, heartbeats; a heartbeat takes the last alone. Of several meetings, the one
with the lowest id is locked first.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import IntegrityError
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.attribution import fault_of
from usher_models.db.bots import BOT_COLUMNS, Bot, bot_by_connection, last_transition, to_bot
from usher_models.db.engine import attempt, fetch
from usher_models.db.evidence import DUE
from usher_models.db.failures import constraint
from usher_models.db.speaker import Speaker, may_speak
from usher_models.db.stages import with_stage
from usher_models.db.webhook_outbox import OUTBOX
from usher_models.db.words import storable
from usher_models.errors import AnotherPodSpeaks, IllegalMove, MeetingOver, UnknownConnection
from usher_models.outcomes import Party
from usher_models.states import LIVE, TERMINAL, Judgement, Source, Stage, Status, judge, legal_origins, sentence

_MOVE = f"""
, moment AS (
    SELECT clock_timestamp() AS at FROM (SELECT count(*) FROM picked) AS locked
), meeting AS (
    UPDATE meetings m
    SET status = picked.target,
        updated_at = moment.at AT TIME ZONE 'utc',
        start_time = CASE WHEN picked.target IN ('starting', 'active')
                          THEN coalesce(m.start_time, moment.at AT TIME ZONE 'utc') ELSE m.start_time END,
        end_time = CASE WHEN picked.terminal THEN moment.at AT TIME ZONE 'utc' ELSE m.end_time END
    FROM picked, moment WHERE m.id = picked.id
    RETURNING m.id, m.user_id, m.platform, m.platform_specific_id, m.status, m.start_time, m.end_time, m.created_at,
              m.updated_at
), bot AS (
    UPDATE usher.bots b
    SET transition_seq = b.transition_seq + 1,
        revision = b.revision + 1,
        status_changed_at = moment.at,
        pod_uid = coalesce(b.pod_uid, picked.pod_uid),
        stage = CASE WHEN picked.terminal THEN NULL ELSE coalesce(picked.stage, b.stage) END,
        stages = {with_stage("picked.stage")},
        started_at = CASE WHEN picked.terminal THEN b.started_at ELSE coalesce(b.started_at, moment.at) END,
        joined_at = CASE WHEN picked.target = 'active' THEN coalesce(b.joined_at, moment.at) ELSE b.joined_at END,
        ended_at = CASE WHEN picked.terminal THEN moment.at END,
        reason = picked.reason,
        message = picked.message,
        fault = picked.fault
    FROM picked, moment WHERE b.meeting_id = picked.id
    RETURNING b.*
), ended AS (
    DELETE FROM usher.heartbeats h USING picked WHERE h.meeting_id = picked.id AND picked.terminal
    RETURNING h.meeting_id, h.at, h.seq
), beat AS (
    UPDATE usher.heartbeats h SET at = now() FROM picked
    WHERE h.meeting_id = picked.id AND NOT picked.terminal AND picked.source = 'bot'
), noted AS (
    INSERT INTO usher.transitions (meeting_id, seq, from_status, to_status, source, reason, fault, event_id, detail, at)
    SELECT bot.meeting_id, bot.transition_seq, picked.status, picked.target, picked.source, picked.reason,
           picked.fault, picked.event_id, picked.detail, moment.at
    FROM bot JOIN picked ON picked.id = bot.meeting_id CROSS JOIN moment
    RETURNING *
), {DUE}, {OUTBOX}
"""
_MOVED = """
SELECT bot.meeting_id, bot.connection_id, bot.job_name, bot.request_namespace AS namespace, picked.status AS origin,
       picked.reason, picked.fault, meeting.platform, bot.joined_at IS NOT NULL AS joined
FROM bot JOIN picked ON picked.id = bot.meeting_id JOIN meeting ON meeting.id = picked.id
"""
_SEEN = f"SELECT {BOT_COLUMNS} FROM bot b JOIN meeting m ON m.id = b.meeting_id"

_GIVEN = (
    "m.id, m.status, CAST(:target AS varchar) AS target, CAST(:terminal AS boolean) AS terminal,"
    " CAST(:source AS varchar) AS source, CAST(:stage AS varchar) AS stage"
)

_PICK_ONE = """
WITH picked AS (
    SELECT {given}, {pod_uid} AS pod_uid, CAST(:reason AS varchar) AS reason, CAST(:message AS text) AS message,
           CAST(:fault AS varchar) AS fault, CAST(:event_id AS varchar) AS event_id, CAST(:detail AS jsonb) AS detail
    FROM usher.bots b JOIN meetings m ON m.id = b.meeting_id
    WHERE b.connection_id = :connection_id AND m.status = ANY(:origins) AND {guard}
    FOR UPDATE OF m, b
)
"""
_PICK_SPEAKER = _PICK_ONE.format(given=_GIVEN, pod_uid="CAST(:pod_uid AS varchar)", guard=may_speak(":"))
# The operator and the API end a reservation without a bot: no pod is bound by it.
_PICK_RESERVED = _PICK_ONE.format(given=_GIVEN, pod_uid="CAST(NULL AS varchar)", guard="true")

_PICK_MANY = f"""
WITH given AS (
    SELECT * FROM unnest(CAST(:ids AS integer[]), CAST(:reasons AS varchar[]), CAST(:messages AS text[]),
                         CAST(:faults AS varchar[]), CAST(:details AS jsonb[]))
         AS g (id, reason, message, fault, detail)
), picked AS (
    SELECT {_GIVEN}, CAST(NULL AS varchar) AS pod_uid, given.reason, given.message, given.fault,
           CAST(NULL AS varchar) AS event_id, given.detail
    FROM given
    JOIN usher.bots b ON b.meeting_id = given.id
    JOIN meetings m ON m.id = b.meeting_id
    JOIN usher.heartbeats h ON h.meeting_id = b.meeting_id
    WHERE m.status = ANY(:origins) AND {{guard}}
    FOR UPDATE OF m, b, h SKIP LOCKED
)
"""

_RECORD_LATE = text("""
WITH picked AS (
    SELECT m.id, m.status
    FROM usher.bots b JOIN meetings m ON m.id = b.meeting_id
    WHERE b.connection_id = :connection_id AND m.status = ANY(:live)
    FOR UPDATE OF m, b
), bot AS (
    UPDATE usher.bots b SET transition_seq = b.transition_seq + 1 FROM picked WHERE b.meeting_id = picked.id
    RETURNING b.meeting_id, b.transition_seq
)
INSERT INTO usher.transitions (meeting_id, seq, from_status, to_status, source, reason, event_id, at)
SELECT bot.meeting_id, bot.transition_seq, picked.status, picked.status, 'bot', 'late_started', :event_id,
       clock_timestamp()
FROM bot JOIN picked ON picked.id = bot.meeting_id
RETURNING seq
""")

EVENT_KEY = "transitions_event_id_key"


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a bot reports of its meeting, and the pod that reports it."""

    connection_id: str
    target: Status
    reason: str
    speaker: Speaker
    message: str | None = None
    event_id: str | None = None
    stage: Stage | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    declared: Party | None = None
    """Whose doing its end is, as the bot says."""


@dataclass(frozen=True, kw_only=True)
class Applied:
    """The answer to a report: the meeting as it is now; `applied` is True if the report changed it."""

    bot: Bot
    applied: bool


@dataclass(frozen=True, kw_only=True)
class Closing:
    """One meeting to end, and why. `detail` keeps the pod's last words; `fault` is what is known beyond the reason."""

    meeting_id: int
    reason: str
    message: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    fault: Party | None = None


@dataclass(frozen=True, kw_only=True)
class Moved:
    """One meeting that was moved."""

    meeting_id: int
    connection_id: str
    job_name: str
    namespace: str | None
    origin: str
    reason: str
    fault: str | None
    platform: str
    joined: bool


async def report(connection: AsyncConnection, reported: Report) -> Applied:
    """Apply what a bot reports, once, in one exchange; for a connection that commits by itself (`Database.at_once`).

    A repeat is answered the same and changes nothing. Raises UnknownConnection, Forbidden, MeetingOver,
    AnotherPodSpeaks, IllegalMove. None of them needs a transaction: psycopg prepares every statement anew after a
    rollback.
    """
    moved = await _move_one(connection, reported)
    if moved is not None:
        return Applied(bot=moved, applied=True)
    bot = await bot_by_connection(connection, reported.connection_id)
    if bot is None:
        raise UnknownConnection(f"No meeting has the connection id {reported.connection_id!r}.")
    await _explain(connection, reported, bot=bot)
    return Applied(bot=bot, applied=False)


async def _move_one(connection: AsyncConnection, reported: Report) -> Bot | None:
    """The bot after the move; None when nothing moves, also because the meeting knows the event already."""
    values = _values(reported.target, Source.BOT) | {
        "connection_id": reported.connection_id,
        "reason": reported.reason,
        "message": storable(connection, reported.message) or sentence(reported.reason),
        "fault": fault_of(reported.reason, reported.target, declared=reported.declared),
        "event_id": reported.event_id,
        "detail": json.dumps(storable(connection, reported.detail)),
        "stage": reported.stage,
        "namespace": reported.speaker.namespace,
        "job_name": reported.speaker.job_name,
        "pod_uid": reported.speaker.pod_uid,
    }
    moved = await _unless_known(connection, _MOVE_SPEAKER, values)
    return to_bot(moved[0]) if moved else None


async def _unless_known(
    connection: AsyncConnection, statement: TextClause, values: dict[str, Any]
) -> list[dict[str, Any]]:
    """The statement's rows; none when the meeting knows the event already."""
    try:
        async with attempt(connection):
            return await fetch(connection, statement, values)
    except IntegrityError as exc:
        if constraint(exc) != EVENT_KEY:
            raise
        return []


async def _explain(connection: AsyncConnection, reported: Report, *, bot: Bot) -> None:
    """Return when a report that moved nothing is a repeat or old; raise what it is otherwise."""
    reported.speaker.require_job_of(bot)
    last = await last_transition(connection, bot.meeting_id) if bot.status in TERMINAL else None
    judgement = judge(
        reported.target,
        bot.status,
        fenced=reported.speaker.is_fenced_off(bot),
        known=True,
        ended_by_bot=last is not None and last.source == Source.BOT,
    )
    if judgement is Judgement.ANOTHER_POD_SPEAKS:
        raise AnotherPodSpeaks
    if judgement is Judgement.OVER:
        raise MeetingOver(meeting_id=bot.meeting_id, status=bot.status)
    if judgement is Judgement.ILLEGAL:
        raise IllegalMove(f"The meeting is {bot.status}; it cannot become {reported.target}.")
    if judgement is Judgement.LATE and reported.event_id:
        values = {"connection_id": bot.connection_id, "live": sorted(LIVE), "event_id": reported.event_id}
        await _unless_known(connection, _RECORD_LATE, values)


async def move_reserved(
    connection: AsyncConnection, connection_id: str, *, target: Status, source: Source, reason: str, message: str | None
) -> Bot | None:
    """Move a reservation whose bot never existed, for the operator or the API; the bot if it moved.

    The Job must not exist: a bot that runs owns its state.
    """
    values = _values(target, source) | {
        "connection_id": connection_id,
        "reason": reason,
        "message": storable(connection, message) or sentence(reason),
        "fault": fault_of(reason, target),
        "event_id": None,
        "detail": "{}",
        "stage": None,
    }
    moved = await fetch(connection, _MOVE_RESERVED, values)
    return to_bot(moved[0]) if moved else None


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

    Locked rows are skipped: a heartbeat or a callback in flight wins, and the next sweep looks again.
    """
    if not closings:
        return []
    values = _values(target, source) | {
        "ids": [closing.meeting_id for closing in closings],
        "reasons": [closing.reason for closing in closings],
        "messages": [storable(connection, closing.message) or sentence(closing.reason) for closing in closings],
        "faults": [closing.fault or fault_of(closing.reason, target) for closing in closings],
        "details": [json.dumps(storable(connection, closing.detail)) for closing in closings],
        "stage": None,
    }
    rows = await connection.execute(
        text(_PICK_MANY.format(guard=guard) + _MOVE + _MOVED), values | (guard_values or {})
    )
    return [Moved(**row._mapping) for row in rows]


def _values(target: Status, source: Source) -> dict[str, Any]:
    return {
        "target": target,
        "terminal": target in TERMINAL,
        "source": source,
        "origins": sorted(legal_origins(target, source)),
    }


_MOVE_SPEAKER: TextClause = text(_PICK_SPEAKER + _MOVE + _SEEN)
_MOVE_RESERVED: TextClause = text(_PICK_RESERVED + _MOVE + _SEEN)
