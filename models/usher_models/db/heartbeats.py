"""Signs of life. The fast path is one UPDATE of one narrow row and reads the answer's commands with it.

A live meeting has a heartbeat row; the transaction that ends the meeting deletes it. So a heartbeat that waits for a
sweep finds the row gone and is told that the meeting is over, and a sweep that waits for a heartbeat sees it fresh.
"""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.meetings import Bot, bot_by_connection
from usher_models.errors import AnotherPodSpeaks, MeetingOver, UnknownConnection

_BEAT = text("""
UPDATE usher.heartbeats h
SET at = greatest(h.at, now()), seq = greatest(h.seq, coalesce(CAST(:seq AS bigint), h.seq + 1))
FROM usher.bots b
WHERE b.connection_id = :connection_id
  AND h.meeting_id = b.meeting_id
  AND (b.pod_uid = :pod_uid OR CAST(:pod_uid AS varchar) IS NULL)
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
) -> None:
    """Note what a bot says below its status. An acknowledged generation only grows, up to the newest."""
    await connection.execute(
        _DETAILS,
        {
            "connection_id": connection_id,
            "pod_uid": pod_uid,
            "stage": stage,
            "applied_generation": applied_generation,
            "participants": participants,
        },
    )
