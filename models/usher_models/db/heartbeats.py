"""Heartbeats, which tell a live bot from a dead one.

The fast path is one UPDATE of narrow rows for all bots that report at once, and returns what their answers need. It
takes only a live bot whose bound pod reports and whose row is not locked. Every other heartbeat is recorded by itself,
and answered with what is wrong.

A live meeting has a heartbeat row; the transaction that ends the meeting deletes it. So a heartbeat that waits for a
sweep finds no row and is answered that the meeting is over, and a sweep that waits for a heartbeat sees the new one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.bots import BY_CONNECTION, Bot, bot_by_connection, to_bot
from usher_models.db.engine import fetch, in_one_exchange
from usher_models.db.speaker import Speaker, may_speak
from usher_models.db.stages import with_stage
from usher_models.errors import AnotherPodSpeaks, MeetingOver, UnknownConnection
from usher_models.states import LIVE, SENTENCES, Desired, Status

# The next number for a heartbeat without one. The largest possible number must not break the batch it is in.
_NEXT = "least(h.seq, 9223372036854775806) + 1"
_KNOWN = frozenset(Status)
_SENTENCES = list(SENTENCES.values())

# Never back behind a heartbeat that was recorded meanwhile, unless the clock stepped back and that is in the future.
_AT = "least(greatest(h.at, now()), clock_timestamp())"

_RECORD = text(f"""
UPDATE usher.heartbeats h
SET at = {_AT}, seq = greatest(h.seq, coalesce(CAST(:seq AS bigint), {_NEXT}))
FROM usher.bots b
WHERE b.connection_id = :connection_id
  AND h.meeting_id = b.meeting_id
  AND b.pod_uid IS NOT NULL AND {may_speak(":")}
""")

# SKIP LOCKED: no heartbeat waits for another bot's row. Locking reads the newest version, so an ended meeting, whose
# row is deleted, is left out.
_RECORD_MANY = text(f"""
WITH alive AS (
    SELECT h.meeting_id, given.seq, b.connection_id, b.user_id, b.desired, b.config_generation,
           b.applied_generation,
           CASE WHEN b.config_generation > b.applied_generation THEN b.config ELSE '{{}}' END AS config,
           b.stage, b.participants
    FROM unnest(CAST(:connection_ids AS varchar[]), CAST(:pod_uids AS varchar[]), CAST(:seqs AS bigint[]),
                CAST(:namespaces AS varchar[]), CAST(:job_names AS varchar[]))
         AS given (connection_id, pod_uid, seq, namespace, job_name)
    JOIN usher.bots b ON b.connection_id = given.connection_id AND b.pod_uid IS NOT NULL AND {may_speak("given.")}
    JOIN usher.heartbeats h ON h.meeting_id = b.meeting_id
    FOR NO KEY UPDATE OF h SKIP LOCKED
)
UPDATE usher.heartbeats h
SET at = {_AT}, seq = greatest(h.seq, coalesce(alive.seq, {_NEXT}))
FROM alive JOIN meetings m ON m.id = alive.meeting_id
WHERE h.meeting_id = alive.meeting_id
RETURNING h.meeting_id, alive.connection_id, alive.user_id, m.status, alive.desired, alive.config,
          alive.config_generation, alive.applied_generation, alive.stage, alive.participants
""")

_BIND = text(
    "UPDATE usher.bots b SET pod_uid = :pod_uid"
    f" WHERE b.connection_id = :connection_id AND b.pod_uid IS NULL AND {may_speak(':')}"
)

# A detail stands in place of the status's sentence until the next status. The BotRequest shows the first one of each
# status, which costs one write; a bot that changes it with every heartbeat must not cost more.
_DETAILS = text(f"""
UPDATE usher.bots b
SET stage = coalesce(CAST(:stage AS varchar), stage),
    stages = {with_stage("CAST(:stage AS varchar)")},
    message = coalesce(CAST(:detail AS varchar), message),
    revision = revision
        + CASE WHEN CAST(:detail AS varchar) IS NOT NULL AND message = ANY(:sentences) THEN 1 ELSE 0 END,
    participants = coalesce(CAST(:participants AS integer), participants),
    applied_generation = greatest(applied_generation,
                                  least(coalesce(CAST(:applied_generation AS integer), 0), config_generation))
WHERE connection_id = :connection_id AND ended_at IS NULL AND {may_speak(":")}
""")


@dataclass(frozen=True, kw_only=True, slots=True)
class Heartbeat:
    """One heartbeat, and the pod that sent it."""

    connection_id: str
    speaker: Speaker
    seq: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BotState:
    """What the answer to a heartbeat needs of its bot. `config` is empty unless some of it is new to the bot."""

    meeting_id: int
    user_id: int
    status: Status
    desired: Desired
    config: dict[str, Any]
    config_generation: int
    applied_generation: int
    stage: str | None
    participants: int | None

    @property
    def live(self) -> bool:
        """True if the meeting holds a slot."""
        return self.status in LIVE


async def record_many(connection: AsyncConnection, sent: Sequence[Heartbeat]) -> dict[str, BotState]:
    """Record heartbeats at once; the bots as they are, by connection id, each named once.

    A heartbeat without an answer was not recorded, or its row cannot be read; try it with `record`, which says why.
    """
    values = {
        "connection_ids": [each.connection_id for each in sent],
        "pod_uids": [each.speaker.pod_uid for each in sent],
        "seqs": [each.seq for each in sent],
        "namespaces": [each.speaker.namespace for each in sent],
        "job_names": [each.speaker.job_name for each in sent],
    }
    rows = await fetch(connection, _RECORD_MANY, values)
    return {row["connection_id"]: _state(row) for row in rows if row["status"] in _KNOWN}


def _state(row: dict[str, Any]) -> BotState:
    return BotState(
        meeting_id=row["meeting_id"],
        user_id=row["user_id"],
        status=Status(row["status"]),
        desired=Desired(row["desired"]),
        config=row["config"],
        config_generation=row["config_generation"],
        applied_generation=row["applied_generation"],
        stage=row["stage"],
        participants=row["participants"],
    )


async def record(connection: AsyncConnection, heartbeat: Heartbeat) -> Bot:
    """Record a heartbeat; the bot as it is. Raises UnknownConnection, Forbidden, MeetingOver or AnotherPodSpeaks."""
    bot = await _try(connection, heartbeat)
    if bot is not None:
        return bot
    # This pod never reported before: its `started` was lost, or is still on its way.
    await connection.execute(_BIND, _values(heartbeat.connection_id, heartbeat.speaker))
    bot = await _try(connection, heartbeat)
    if bot is None:
        raise AnotherPodSpeaks
    return bot


async def _try(connection: AsyncConnection, heartbeat: Heartbeat) -> Bot | None:
    """The bot whose heartbeat was recorded; None when it is live and not bound to the sender's pod."""
    values = _values(heartbeat.connection_id, heartbeat.speaker) | {"seq": heartbeat.seq}
    recorded = (await connection.execute(_RECORD, values)).rowcount == 1
    bot = await bot_by_connection(connection, heartbeat.connection_id)
    if bot is None:
        raise UnknownConnection(f"No meeting has the connection id {heartbeat.connection_id!r}.")
    heartbeat.speaker.require_job_of(bot)
    if not bot.live:
        raise MeetingOver(meeting_id=bot.meeting_id, status=bot.status)
    return bot if recorded else None


async def record_details(
    connection: AsyncConnection,
    connection_id: str,
    *,
    speaker: Speaker,
    stage: str | None,
    applied_generation: int | None = None,
    participants: int | None = None,
    detail: str | None = None,
) -> Bot:
    """Record what a bot reports below its status; the bot then. An acknowledged generation only grows, to the newest.

    A pod that may not speak for the meeting changes nothing. Raises UnknownConnection.
    """
    values = _values(connection_id, speaker) | {
        "stage": stage,
        "applied_generation": applied_generation,
        "participants": participants,
        "detail": detail,
        "sentences": _SENTENCES,
    }
    _, bots = await in_one_exchange(connection, (_DETAILS, BY_CONNECTION), values)
    if not bots:
        raise UnknownConnection(f"No meeting has the connection id {connection_id!r}.")
    return to_bot(bots[0])


def _values(connection_id: str, speaker: Speaker) -> dict[str, Any]:
    return {
        "connection_id": connection_id,
        "namespace": speaker.namespace,
        "job_name": speaker.job_name,
        "pod_uid": speaker.pod_uid,
    }
