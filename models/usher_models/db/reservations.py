"""Reserving one of a user's slots: one short transaction under the lock of the user's row, idempotent by connection id.

The lock comes before the count: under READ COMMITTED each statement sees what was committed before it began, so a
count taken before the lock, or inside one INSERT … SELECT without it, oversells. NO KEY UPDATE excludes other
reservations of the user and lets foreign-key checks pass.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from psycopg import IntegrityError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.bots import BOT_COLUMNS, Bot, bot_by_id, to_bot
from usher_models.db.engine import in_one_exchange
from usher_models.db.failures import constraint
from usher_models.db.vexa_tables import ACTIVE_MEETING, ACTIVE_MEETING_INDEX, holds_slot
from usher_models.db.webhook_outbox import OUTBOX
from usher_models.defaults import LOBBY_TIMEOUT_S, MAX_DURATION_S
from usher_models.errors import (
    CapReached,
    ConnectionTaken,
    DatabaseWentBack,
    DuplicateMeeting,
    ForeignDatabase,
    UnknownUser,
)
from usher_models.platforms import MeetingRef
from usher_models.states import HOLDS_SLOT, SENTENCES, Reason, Source, Stage

CONNECTION_KEY = "bots_connection_id_key"


@dataclass(frozen=True, kw_only=True)
class Known:
    """What this process saw of its database before: whose it is, and the highest id that a meeting had."""

    installation: str | None = None
    highest_id: int = 0


NOTHING = Known()


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a reservation is made from. Durations are seconds; `spec` is the BotRequest's spec, kept with the row.

    `{id}` in `request_name` stands for the meeting's id, which is not known before the row is there.
    """

    connection_id: str
    user_id: int
    meeting: MeetingRef
    source: Source
    lobby_timeout_s: int = LOBBY_TIMEOUT_S
    max_duration_s: int = MAX_DURATION_S
    config: dict[str, Any] = field(default_factory=dict)
    spec: dict[str, Any] = field(default_factory=dict)
    request_namespace: str | None = None
    request_name: str | None = None
    request_uid: str | None = None
    request_generation: int = 0
    request_ttl_s: int | None = None
    known: Known = NOTHING


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """A slot that is held. `created` is False when the connection id was known already."""

    bot: Bot
    created: bool
    installation: str | None = None
    """Whose database it is; None if the connection id was known."""


LOCK_USER = text("SELECT max_concurrent_bots FROM users WHERE id = :user_id FOR NO KEY UPDATE")

# What a new bot consists of beside its meeting, whose `reserved_at` is the audit trail's time. It is read when the
# user's row is locked: that of the transaction's begin, before it waited, would show a slot taken before it was free.
WRITE_BOT = f"""session AS (
    INSERT INTO meeting_sessions (meeting_id, session_uid, session_start_time)
    SELECT id, :connection_id, now() FROM meeting
    ON CONFLICT DO NOTHING
), bot AS (
    INSERT INTO usher.bots (meeting_id, connection_id, user_id, job_name, job_created_at, request_namespace,
                            request_name, request_uid, request_generation, request_ttl_s, spec, config, stage,
                            lobby_timeout_s, max_duration_s, reason, message, reserved_at)
    SELECT id, :connection_id, :user_id, bot_container_id, CASE WHEN CAST(:has_job AS boolean) THEN now() END,
           :request_namespace, replace(:request_name, '{{id}}', CAST(id AS varchar)), :request_uid,
           :request_generation, :request_ttl_s, CAST(:spec AS jsonb), CAST(:config AS jsonb), :stage, :lobby_timeout_s,
           :max_duration_s, :reason, :message, reserved_at AT TIME ZONE 'utc'
    FROM meeting
    RETURNING *
), beat AS (
    INSERT INTO usher.heartbeats (meeting_id) SELECT id FROM meeting
), noted AS (
    INSERT INTO usher.transitions (meeting_id, seq, from_status, to_status, source, reason, at)
    SELECT id, 1, NULL, 'reserved', :source, :reason, reserved_at AT TIME ZONE 'utc' FROM meeting
    RETURNING *
), {OUTBOX}"""

# Everything is judged and written in one statement, which begins, and looks, after the user's row was locked. Both are
# sent at once: the lock is held while the server works, and not while this process comes to read what it said.
# Live meetings are counted by their index, which wants its condition stated, and not through the user's history.
_RESERVE = text(
    f"""
WITH known AS (
    SELECT meeting_id, user_id FROM usher.bots WHERE connection_id = :connection_id
), used AS (
    SELECT count(*) AS used, (SELECT coalesce(max_concurrent_bots, 0) FROM users WHERE id = :user_id) AS cap,
           min(id) FILTER (WHERE platform = :platform AND platform_specific_id = :native_id) AS duplicate,
           :source = 'api' AND EXISTS (SELECT FROM usher.rewinds WHERE adopted_at IS NULL) AS waits,
           (SELECT CAST(id AS text) FROM usher.installation) AS installation,
           coalesce(pg_sequence_last_value(usher.meeting_id_sequence()), 0) < :highest_id AS is_behind
    FROM meetings WHERE user_id = :user_id AND {holds_slot("status")} AND {ACTIVE_MEETING}
), fresh AS (
    SELECT nextval(usher.meeting_id_sequence()) AS id, clock_timestamp() AT TIME ZONE 'utc' AS at FROM used
    WHERE used.used < used.cap AND used.duplicate IS NULL AND NOT used.waits AND NOT EXISTS (SELECT FROM known)
        AND NOT used.is_behind AND used.installation IS NOT DISTINCT FROM coalesce(:installation, used.installation)
), meeting AS (
    INSERT INTO meetings (id, user_id, platform, platform_specific_id, status, bot_container_id, data,
                          created_at, updated_at)
    SELECT id, :user_id, :platform, :native_id, 'reserved', 'bot-' || id, '{{}}', at, at
    FROM fresh
    RETURNING *, created_at AS reserved_at
), {WRITE_BOT}
SELECT used.*, known.meeting_id AS known_id, known.user_id AS known_user_id, {BOT_COLUMNS}
FROM used LEFT JOIN known ON true LEFT JOIN (bot b JOIN meeting m ON m.id = b.meeting_id) ON true
"""
)


async def reserve(connection: AsyncConnection, request: Request) -> Reservation:
    """Hold one of the user's slots for `request`, or return the reservation its connection id already has.

    Raises UnknownUser, CapReached, DuplicateMeeting or ConnectionTaken; DatabaseWentBack to the REST API while lost
    bots are adopted, because one of them may be in that meeting; DatabaseWentBack or ForeignDatabase if the database is
    not what `request.known` says. Then nothing was written.
    """
    found = await _lock_and_reserve(connection, request)
    if found["cap"] is None:
        raise UnknownUser(f"No user has the id {request.user_id}.")
    if found["known_id"] is not None:
        return await _known(connection, found["known_id"], taken=found["known_user_id"] != request.user_id)
    if found["meeting_id"] is not None:
        return Reservation(bot=to_bot(found), created=True, installation=found["installation"])
    if found["installation"] != (request.known.installation or found["installation"]):
        raise ForeignDatabase
    if found["is_behind"]:
        raise DatabaseWentBack(is_news=True)
    if found["waits"]:
        raise DatabaseWentBack
    if found["duplicate"] is not None:
        raise DuplicateMeeting(meeting_id=found["duplicate"])
    raise CapReached(limit=found["cap"], used=found["used"])


async def _known(connection: AsyncConnection, meeting_id: int, *, taken: bool) -> Reservation:
    bot = await bot_by_id(connection, meeting_id)
    if taken or bot is None:
        raise ConnectionTaken
    return Reservation(bot=bot, created=False)


async def _lock_and_reserve(connection: AsyncConnection, request: Request) -> dict[str, Any]:
    values = values_of(request, reason=Reason.REQUESTED) | {"holds": sorted(HOLDS_SLOT)} | asdict(request.known)
    try:
        _, (found,) = await in_one_exchange(connection, (LOCK_USER, _RESERVE), values)
        return found
    except IntegrityError as exc:
        # A live row of a status that holds no slot (such as `scheduled`) is still one per user and meeting there.
        if constraint(exc) == ACTIVE_MEETING_INDEX:
            raise DuplicateMeeting(meeting_id=None) from exc
        # Another user's reservation with this connection id was committed since it was looked for.
        if constraint(exc) == CONNECTION_KEY:
            raise ConnectionTaken from exc
        raise


def values_of(request: Request, *, reason: Reason) -> dict[str, Any]:
    """What `WRITE_BOT` and the row of the meeting are made from."""
    return {
        "connection_id": request.connection_id,
        "user_id": request.user_id,
        "platform": request.meeting.platform,
        "native_id": request.meeting.native_id,
        "request_namespace": request.request_namespace,
        "request_name": request.request_name,
        "request_uid": request.request_uid,
        "request_generation": request.request_generation,
        "request_ttl_s": request.request_ttl_s,
        "spec": json.dumps(request.spec),
        "config": json.dumps(request.config),
        "stage": Stage.SCHEDULING,
        "lobby_timeout_s": request.lobby_timeout_s,
        "max_duration_s": request.max_duration_s,
        "source": request.source,
        "reason": reason,
        "message": SENTENCES[reason],
        "has_job": reason is Reason.ADOPTED,
    }
