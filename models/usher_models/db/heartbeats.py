"""Signs of life. The fast path is one UPDATE of narrow rows, of as many bots as speak at once, and reads what their
answers need with it. It takes only what needs no thought: a live bot whose bound pod speaks, and whose row is free.
Every other beat is noted by itself, and told what is the matter.

A live meeting has a heartbeat row; the transaction that ends the meeting deletes it. So a heartbeat that waits for a
sweep finds the row gone and is told that the meeting is over, and a sweep that waits for a heartbeat sees it fresh.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.bots import BY_CONNECTION, Bot, bot_by_connection, to_bot
from usher_models.db.engine import fetch, in_one_exchange
from usher_models.errors import AnotherPodSpeaks, MeetingOver, UnknownConnection
from usher_models.states import LIVE, Desired, Status

# The next number of a beat without one. A bot that said the largest there is must not break the batch it is in.
_NEXT = "least(h.seq, 9223372036854775806) + 1"

_BEAT = text(f"""
UPDATE usher.heartbeats h
SET at = greatest(h.at, now()), seq = greatest(h.seq, coalesce(CAST(:seq AS bigint), {_NEXT}))
FROM usher.bots b
WHERE b.connection_id = :connection_id
  AND h.meeting_id = b.meeting_id
  AND (b.pod_uid = :pod_uid OR CAST(:pod_uid AS varchar) IS NULL)
""")

# SKIP LOCKED: nobody waits for another bot's row. Locking sees the newest version, so an ended meeting, whose row is
# gone, is not among them.
_BEAT_MANY = text(f"""
WITH heard AS (
    SELECT h.meeting_id, given.seq, b.connection_id, b.desired, b.config_generation, b.applied_generation,
           CASE WHEN b.config_generation > b.applied_generation THEN b.config ELSE '{{}}' END AS config,
           b.stage, b.participants
    FROM unnest(CAST(:connection_ids AS varchar[]), CAST(:pod_uids AS varchar[]), CAST(:seqs AS bigint[]),
                CAST(:namespaces AS varchar[]), CAST(:job_names AS varchar[]))
         AS given (connection_id, pod_uid, seq, namespace, job_name)
    JOIN usher.bots b ON b.connection_id = given.connection_id AND b.pod_uid = given.pod_uid
                     AND b.request_namespace = given.namespace AND b.job_name = given.job_name
    JOIN usher.heartbeats h ON h.meeting_id = b.meeting_id
    FOR NO KEY UPDATE OF h SKIP LOCKED
)
UPDATE usher.heartbeats h
SET at = greatest(h.at, now()), seq = greatest(h.seq, coalesce(heard.seq, {_NEXT}))
FROM heard JOIN meetings m ON m.id = heard.meeting_id
WHERE h.meeting_id = heard.meeting_id
RETURNING h.meeting_id, heard.connection_id, m.status, heard.desired, heard.config, heard.config_generation,
          heard.applied_generation, heard.stage, heard.participants
""")

_BIND = text("UPDATE usher.bots SET pod_uid = :pod_uid WHERE connection_id = :connection_id AND pod_uid IS NULL")

_DETAILS = text("""
UPDATE usher.bots
SET stage = coalesce(CAST(:stage AS varchar), stage),
    participants = coalesce(CAST(:participants AS integer), participants),
    applied_generation = greatest(applied_generation,
                                  least(coalesce(CAST(:applied_generation AS integer), 0), config_generation))
WHERE connection_id = :connection_id AND ended_at IS NULL AND (pod_uid IS NULL OR pod_uid = :pod_uid
      OR CAST(:pod_uid AS varchar) IS NULL)
""")


@dataclass(frozen=True, kw_only=True)
class Beat:
    """One heartbeat. `pod_uid` is the sender's proven identity."""

    connection_id: str
    pod_uid: str | None
    seq: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sender:
    """A beat and the Job whose pod sent it, as its token proves."""

    connection_id: str
    pod_uid: str
    namespace: str
    job_name: str
    seq: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """What the answer to a beat needs of its bot. `config` is empty unless some of it is news to the bot."""

    meeting_id: int
    status: Status
    desired: Desired
    config: dict[str, Any]
    config_generation: int
    applied_generation: int
    stage: str | None
    participants: int | None

    @property
    def live(self) -> bool:
        """Whether the meeting holds a slot."""
        return self.status in LIVE


async def beat_many(connection: AsyncConnection, senders: Sequence[Sender]) -> dict[str, Heard]:
    """Note signs of life at once; the bots as they are, by connection id, each named once.

    Who is missing in the answer was not noted, and is to be tried with `beat`, which says why.
    """
    values = {
        "connection_ids": [sender.connection_id for sender in senders],
        "pod_uids": [sender.pod_uid for sender in senders],
        "seqs": [sender.seq for sender in senders],
        "namespaces": [sender.namespace for sender in senders],
        "job_names": [sender.job_name for sender in senders],
    }
    rows = await fetch(connection, _BEAT_MANY, values)
    return {row["connection_id"]: _heard(row) for row in rows}


def _heard(row: dict[str, Any]) -> Heard:
    return Heard(
        meeting_id=row["meeting_id"],
        status=Status(row["status"]),
        desired=Desired(row["desired"]),
        config=row["config"],
        config_generation=row["config_generation"],
        applied_generation=row["applied_generation"],
        stage=row["stage"],
        participants=row["participants"],
    )


async def beat(connection: AsyncConnection, sign: Beat) -> Bot:
    """Note a sign of life; the bot as it is. Raises UnknownConnection, MeetingOver or AnotherPodSpeaks."""
    bot = await _try(connection, sign)
    if bot is not None:
        return bot
    # The first word of this pod: `started` was lost, or is still on its way.
    await connection.execute(_BIND, {"connection_id": sign.connection_id, "pod_uid": sign.pod_uid})
    bot = await _try(connection, sign)
    if bot is None:
        raise AnotherPodSpeaks
    return bot


async def _try(connection: AsyncConnection, sign: Beat) -> Bot | None:
    """The bot whose sign of life was noted; None when it is live and not bound to the sender's pod."""
    values = {"connection_id": sign.connection_id, "pod_uid": sign.pod_uid, "seq": sign.seq}
    alive = (await connection.execute(_BEAT, values)).rowcount == 1
    bot = await bot_by_connection(connection, sign.connection_id)
    if bot is None:
        raise UnknownConnection(f"No meeting has the connection id {sign.connection_id!r}.")
    if not bot.live:
        raise MeetingOver(meeting_id=bot.meeting_id, status=bot.status)
    return bot if alive else None


async def note_details(
    connection: AsyncConnection,
    connection_id: str,
    *,
    pod_uid: str | None,
    stage: str | None,
    applied_generation: int | None = None,
    participants: int | None = None,
) -> Bot:
    """Note what a bot says below its status; the bot then. An acknowledged generation only grows, up to the newest.

    Raises UnknownConnection.
    """
    values = {
        "connection_id": connection_id,
        "pod_uid": pod_uid,
        "stage": stage,
        "applied_generation": applied_generation,
        "participants": participants,
    }
    _, bots = await in_one_exchange(connection, (_DETAILS, BY_CONNECTION), values)
    if not bots:
        raise UnknownConnection(f"No meeting has the connection id {connection_id!r}.")
    return to_bot(bots[0])
