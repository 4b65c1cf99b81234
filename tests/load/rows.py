"""Rows by the ten thousand: live bots and a long history, written set-wise. For benchmarks only.

They look as `reserve` and `report` would have left them, except that their transitions begin and end with the present
status.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.load.botswarm import Identity
from usher_models.db.engine import Database

_USERS = text("""
INSERT INTO users (email, max_concurrent_bots) SELECT :name || n || '@load.test', :cap FROM generate_series(1, :count) n
RETURNING id
""")

_BOTS = """
WITH meeting AS (
    INSERT INTO meetings (user_id, platform, platform_specific_id, status, bot_container_id, data, start_time, end_time,
                          created_at, updated_at)
    SELECT (CAST(:users AS integer[]))[1 + n % cardinality(CAST(:users AS integer[]))], 'zoom',
           CAST(900000000 + n AS varchar), :status, 'pending', '{{}}', {started}, {ended}, {reserved}, {reserved}
    FROM generate_series(1, :count) n
    RETURNING id, user_id, platform_specific_id
), session AS (
    INSERT INTO meeting_sessions (meeting_id, session_uid) SELECT id, :name || id FROM meeting
), bot AS (
    INSERT INTO usher.bots (meeting_id, connection_id, user_id, request_namespace, request_name, request_uid,
        request_generation, spec, job_name, job_created_at, pod_uid, stage, participants, lobby_timeout_s,
        max_duration_s, reserved_at, started_at, joined_at, ended_at, status_changed_at, reason, message,
        transition_seq, revision, written_revision, written_status)
    SELECT id, :name || id, user_id, :namespace, :name || id, gen_random_uuid(), 1,
           jsonb_build_object('userId', user_id, 'platform', 'zoom', 'nativeMeetingId', platform_specific_id),
           'bot-' || id, {since}, left('pod-' || :name || id, 36), {stage}, 3, 900, 14400,
           {since}, {since}, {since}, {over}, now(), 'joined', 'The bot is in the meeting.', 1, 1, 1, :status
    FROM meeting
    RETURNING meeting_id, connection_id, job_name
), noted AS (
    INSERT INTO usher.transitions (meeting_id, seq, from_status, to_status, source, reason)
    SELECT meeting_id, 1, NULL, :status, 'bot', 'joined' FROM bot
){beat}
SELECT meeting_id, connection_id, job_name FROM bot
"""

_NAIVE = "(now() - interval '1 hour') AT TIME ZONE 'utc'"
_LIVE = text(
    _BOTS.format(
        started=_NAIVE,
        ended="NULL",
        reserved=_NAIVE,
        since="now() - interval '1 hour'",
        stage="'in_meeting'",
        over="NULL",
        beat=", beat AS (INSERT INTO usher.heartbeats (meeting_id) SELECT id FROM meeting)",
    )
)
_PAST = text(
    _BOTS.format(
        started=_NAIVE,
        ended=_NAIVE,
        reserved=_NAIVE,
        since="now() - interval '2 hours'",
        stage="NULL",
        over="now() - interval '1 hour'",
        beat="",
    )
)
AT_ONCE = 100_000


async def users(connection: AsyncConnection, count: int, *, cap: int, name: str = "user-") -> list[int]:
    """The ids of `count` new users."""
    return [row.id for row in await connection.execute(_USERS, {"count": count, "cap": cap, "name": name})]


async def live_bots(database: Database, count: int, *, namespace: str, name: str = "live-") -> list[Identity]:
    """`count` active bots of a hundred users, heard of just now; their pods are the swarm's."""
    async with database.transaction() as connection:
        owners = await users(connection, 100, cap=count, name=name)
        values = {"users": owners, "count": count, "namespace": namespace, "name": name, "status": "active"}
        rows = (await connection.execute(_LIVE, values)).all()
    return [
        Identity(connection_id=row.connection_id, namespace=namespace, job_name=row.job_name, meeting_id=row.meeting_id)
        for row in rows
    ]


async def past_bots(database: Database, count: int, *, namespace: str, name: str = "past-") -> None:
    """`count` completed bots of a hundred users."""
    async with database.transaction() as connection:
        owners = await users(connection, 100, cap=1, name=name)
    for done in range(0, count, AT_ONCE):
        async with database.transaction() as connection:
            values = {"users": owners, "count": min(AT_ONCE, count - done), "namespace": namespace, "name": name}
            await connection.execute(_PAST, values | {"status": "completed"})


async def vacuum(database: Database) -> None:
    """What autovacuum does by and by."""
    async with database.at_once() as connection:
        await connection.execute(text("VACUUM ANALYZE"))
