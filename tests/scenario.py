"""Tell a test's beginning in one line: a user, and bots with a past.

A test takes the fixture `given` (of `tests/integration/conftest.py`) and says what was before:

    async def test_a_silent_bot_is_failed(given: Scenario) -> None:
        user = await given.a_user(cap=2)
        bot = await given.a_bot(user).starting().active().with_last_beat(ago=130)
        ...
        assert (await given.fresh(bot)).status == Status.FAILED

`a_bot(user)` reserves a slot; each word after it is one more thing that happened, in the order of the words, each in a
transaction of its own and written by the production functions. `await` makes it so and returns the `Bot` as it is then.

Nothing sleeps: time is moved in the data. `waited(s)` lets s seconds pass, which means that everything so far, audit
trail included, moves s seconds into the past:

    given.a_bot().waited(290)                                     reserved 290 s ago, not started
    given.a_bot().starting().waited(60).active().waited(130)      joined 130 s ago and silent since
    given.a_bot().starting().active().waited(600).beating()       joined 10 min ago, heard right now
    given.a_bot().active().asked_to_leave().waited(45)            asked 45 s ago and still here

    the past        reserved → starting() active() stopping() completed() failed(), or moved(target, source=…)
    beside it       beating() with_last_beat(ago=…) with_job() with_config(…) asked_to_leave() in_stage(…) written()
    time            waited(s)
    the request     a_bot(user, connection_id=…, meeting=a_meeting("zoom"), lobby_timeout_s=…, request_name=…, …)
    many            copies_of(bot, 2_000)
    other rows      a_user(cap=…) a_legacy_meeting(user, status="requested") a_replica(silent_for=…)
                    an_outage(lasted=…, ended_ago=…)
    looking         fresh(bot) story(bot) slots_held(user) everything()

Without a user, `a_bot()` makes one with room for a hundred. Bots speak as the pod `pod_of(connection_id)` unless
`a_bot(pod_uid=…)` says otherwise; once one has spoken, that is `bot.pod_uid`.
"""

import itertools
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any, Protocol, Self

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db import bots, desired_state, heartbeats, reservations, status_writes, transitions, users
from usher_models.db.bots import Bot, Transition
from usher_models.db.engine import Database
from usher_models.db.heartbeats import Heartbeat
from usher_models.db.speaker import Speaker
from usher_models.platforms import MeetingRef, resolve
from usher_models.states import HOLDS_SLOT, Reason, Source, Stage, Status

TABLES = (
    "users",
    "api_tokens",
    "usher.api_keys",
    "meetings",
    "meeting_sessions",
    "usher.bots",
    "usher.heartbeats",
    "usher.transitions",
    "usher.replicas",
    "usher.outages",
    "usher.webhook_deliveries",
    "usher.webhook_endpoints",
    "usher.rewinds",
    "usher.evidence",
)

# What a bot gives as its reason when a scenario does not care.
USUAL_REASONS: dict[Status, str] = {
    Status.STARTING: Reason.STARTED,
    Status.ACTIVE: Reason.JOINED,
    Status.STOPPING: Reason.LEAVING,
    Status.COMPLETED: Reason.LEFT,
    Status.FAILED: "exit_code_1",
}

_numbers = itertools.count(1)


@dataclass(frozen=True, kw_only=True)
class User:
    """A user with a limit."""

    id: int
    email: str
    cap: int


def a_meeting(platform: str = "zoom") -> MeetingRef:
    """A meeting that no other scenario of this run has."""
    number = next(_numbers)
    ids = {
        "zoom": f"{100_000_000 + number}",
        "teams": f"{9_000_000_000_000 + number}",
        "google_meet": f"room-{number:06}",
        "jitsi": f"standup-{number}",
    }
    return resolve(platform=platform, native_id=ids[platform])


def pod_of(connection_id: str) -> str:
    """The uid of the pod as which a scenario's bot speaks."""
    return f"pod-{connection_id}"[:36]


# A pod that speaks for no meeting.
STRANGER = Speaker(namespace="bots", job_name="bot-0", pod_uid="pod-1")


def speaker_of(bot: "Named", *, pod_uid: str | None = None) -> Speaker:
    """The pod as which a scenario's bot speaks: the one bound to its row, unless `pod_uid` names another."""
    namespace = bot.request_namespace or "bots"
    bound = bot.pod_uid or pod_of(bot.connection_id)
    return Speaker(namespace=namespace, job_name=bot.job_name, pod_uid=pod_uid or bound)


def heartbeat_of(bot: "Named", *, pod_uid: str | None = None, seq: int | None = None) -> Heartbeat:
    """A heartbeat of the bot, sent by `speaker_of` it."""
    return Heartbeat(connection_id=bot.connection_id, speaker=speaker_of(bot, pod_uid=pod_uid), seq=seq)


def a_request(user: User, **fields: Any) -> reservations.Request:
    """A reservation request of that user, for a meeting of its own unless `fields` name one."""
    number = next(_numbers)
    defaults: dict[str, Any] = {
        "connection_id": f"connection-{number}",
        "user_id": user.id,
        "meeting": fields.get("meeting") or a_meeting(),
        "source": Source.API,
        "request_namespace": "bots",
        "request_name": f"request-{number}",
        "request_uid": f"uid-{number}",
    }
    return reservations.Request(**defaults | fields)


class Scenario:
    """Writes the past into a database, and reads the present from it."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def a_user(self, *, cap: int = 100, email: str | None = None) -> User:
        """A user who may have `cap` bots at once."""
        address = email or f"user-{next(_numbers)}@example.org"
        async with self.database.transaction() as connection:
            user_id = await users.add_user(connection, address, max_concurrent_bots=cap)
        return User(id=user_id, email=address, cap=cap)

    def a_bot(self, user: User | None = None, *, pod_uid: str | None = None, **request: Any) -> "BotInTheMaking":
        """A bot whose slot is reserved; the words after it tell what happened since. `request`: fields of Request."""
        return BotInTheMaking(self, user, pod_uid=pod_uid, request=request)

    async def ends(self, bot: Bot, target: Status = Status.COMPLETED) -> None:
        """That bot, which may have been made by anybody, reports its exit now."""
        async with self.database.transaction() as connection:
            assert await move(connection, bot, target, source=Source.BOT, reason=USUAL_REASONS[target])

    async def an_outage(self, *, lasted: float, ended_ago: float) -> None:
        """A span of the past in which no replica could take callbacks; seconds."""
        async with self.database.transaction() as connection:
            await connection.execute(
                text(
                    "INSERT INTO usher.outages (began_at, ended_at)"
                    " VALUES (now() - make_interval(secs => :began), now() - make_interval(secs => :ended))"
                ),
                {"began": ended_ago + lasted, "ended": ended_ago},
            )

    async def a_legacy_meeting(self, user: User, *, status: str, meeting: MeetingRef | None = None) -> int:
        """The id of a meeting row as an older deployment left it: Usher does not own it."""
        where = meeting or a_meeting()
        async with self.database.transaction() as connection:
            inserted = await connection.execute(
                text(
                    "INSERT INTO meetings (user_id, platform, platform_specific_id, status, bot_container_id, data)"
                    " VALUES (:user_id, :platform, :native_id, :status, 'legacy', '{\"left\": \"behind\"}')"
                    " RETURNING id"
                ),
                {"user_id": user.id, "platform": where.platform, "native_id": where.native_id, "status": status},
            )
            return int(inserted.scalar_one())

    async def a_replica(self, name: str = "serve-1", *, silent_for: float = 0) -> None:
        """A serve replica that could take callbacks until `silent_for` seconds ago."""
        await self.execute(
            "INSERT INTO usher.replicas VALUES (:name, now() - make_interval(secs => :ago))"
            " ON CONFLICT (replica) DO UPDATE SET served_until = excluded.served_until",
            name=name,
            ago=silent_for,
        )

    async def copies_of(self, bot: Bot, count: int) -> list[Bot]:
        """`count` more bots with exactly the past of `bot`, each with ids and a meeting of its own."""
        async with self.database.transaction() as connection:
            ids = [row.id for row in await connection.execute(_COPY, {"meeting_id": bot.meeting_id, "count": count})]
            copies = await bots.bots_by_id(connection, ids)
        return [copies[each] for each in sorted(copies)]

    async def fresh(self, bot: Bot) -> Bot:
        """The bot as it is now."""
        async with self.database.transaction() as connection:
            found = await bots.bot_by_id(connection, bot.meeting_id)
        assert found is not None
        return found

    async def story(self, bot: Bot) -> list[Transition]:
        """The bot's transitions, oldest first."""
        async with self.database.transaction() as connection:
            return await bots.transitions(connection, bot.meeting_id)

    async def slots_held(self, user: User) -> int:
        """How many of the user's meetings hold a slot now."""
        query = "SELECT count(*) FROM meetings WHERE user_id = :user_id AND status = ANY(:holds)"
        return int(await self.scalar(query, user_id=user.id, holds=sorted(HOLDS_SLOT)))

    async def everything(self) -> dict[str, list[str]]:
        """Every row of every table: equal before and after means that nothing was written."""
        async with self.database.transaction() as connection:
            return {
                table: list(await connection.scalars(text(f"SELECT t::text FROM {table} t ORDER BY 1")))
                for table in TABLES
            }

    async def execute(self, sql: str, **values: Any) -> None:
        """One statement in a transaction of its own."""
        async with self.database.transaction() as connection:
            await connection.execute(text(sql), values)

    async def break_commits(self, table: str) -> None:
        """Let each commit that wrote to `table` fail as when the server is shut down: nothing of it is kept.

        For a test with a database of its own.
        """
        function = (
            "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'broken on purpose' USING ERRCODE = 'admin_shutdown'; END $$"
        )
        trigger = (
            f"CREATE CONSTRAINT TRIGGER broken AFTER INSERT OR UPDATE ON {table} DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION broken()"
        )
        async with self.database.transaction() as connection:
            await connection.execute(text(function))
            await connection.execute(text(trigger))

    async def scalar(self, sql: str, **values: Any) -> Any:
        """The first column of the first row of one query."""
        async with self.database.transaction() as connection:
            return await connection.scalar(text(sql), values)


_Step = Callable[[AsyncConnection, Bot], Awaitable[object]]


class BotInTheMaking:
    """A bot's past, word by word; `await` writes it and returns the Bot."""

    def __init__(self, given: Scenario, user: User | None, *, pod_uid: str | None, request: dict[str, Any]) -> None:
        self._given = given
        self._user = user
        self._pod_uid = pod_uid
        self._request = request
        self._steps: list[_Step] = []

    def __await__(self) -> Generator[Any, None, Bot]:
        return self._make().__await__()

    def starting(self) -> Self:
        """Its process reported `started`."""
        return self.moved(Status.STARTING)

    def active(self) -> Self:
        """It reported `joined`."""
        return self.moved(Status.ACTIVE)

    def stopping(self) -> Self:
        """It reported that it is leaving."""
        return self.moved(Status.STOPPING)

    def completed(self, *, reason: str = Reason.LEFT, by: Source = Source.BOT) -> Self:
        """It exited with code 0; or somebody else ended it as completed."""
        return self.moved(Status.COMPLETED, source=by, reason=reason)

    def failed(self, *, reason: str = "exit_code_1", by: Source = Source.BOT) -> Self:
        """It exited with another code; or somebody else failed it."""
        return self.moved(Status.FAILED, source=by, reason=reason)

    def moved(self, target: Status, *, source: Source = Source.BOT, reason: str | None = None) -> Self:
        """`source` moved it to `target`, by the function that this source uses. An illegal move fails the scenario."""

        async def step(connection: AsyncConnection, bot: Bot) -> None:
            why = reason or USUAL_REASONS[target]
            assert await move(connection, bot, target, source=source, reason=why, pod_uid=self._pod_uid), (
                f"{source} moved nothing from {bot.status} to {target}"
            )

        return self._then(step)

    def beating(self) -> Self:
        """It sent a heartbeat."""

        async def step(connection: AsyncConnection, bot: Bot) -> None:
            await heartbeats.record(connection, heartbeat_of(bot, pod_uid=self._pod_uid))

        return self._then(step)

    def with_last_beat(self, *, ago: float) -> Self:
        """Its last heartbeat was that many seconds ago; nothing else moves."""
        return self._sql(
            "UPDATE usher.heartbeats SET at = now() - make_interval(secs => :ago) WHERE meeting_id = :meeting_id",
            ago=ago,
        )

    def in_stage(self, stage: Stage) -> Self:
        """It told its stage."""

        async def step(connection: AsyncConnection, bot: Bot) -> None:
            speaker = speaker_of(bot, pod_uid=self._pod_uid)
            await heartbeats.record_details(connection, bot.connection_id, speaker=speaker, stage=stage)

        return self._then(step)

    def with_job(self) -> Self:
        """Its Job was created."""
        return self._then(lambda connection, bot: bots.mark_jobs_created(connection, [bot.meeting_id]))

    def with_config(self, **config: Any) -> Self:
        """It was told to take on this configuration."""
        return self._then(lambda connection, bot: desired_state.want_config(connection, bot.meeting_id, config))

    def asked_to_leave(self, *, reason: str = Reason.STOPPED) -> Self:
        """Its owner wants it to leave."""
        return self._then(lambda connection, bot: desired_state.want_leave(connection, [bot.meeting_id], reason=reason))

    def written(self) -> Self:
        """Its BotRequest shows what is so far."""
        return self._then(lambda connection, bot: status_writes.mark_written(connection, [bot]))

    def waited(self, seconds: float) -> Self:
        """That many seconds passed: all that happened so far moves into the past."""
        return self._sql(_WAIT, ago=seconds)

    def _sql(self, sql: str, **values: Any) -> Self:
        return self._then(
            lambda connection, bot: connection.execute(text(sql), values | {"meeting_id": bot.meeting_id})
        )

    def _then(self, step: _Step) -> Self:
        self._steps.append(step)
        return self

    async def _make(self) -> Bot:
        database = self._given.database
        user = self._user or await self._given.a_user()
        async with database.transaction() as connection:
            held = await reservations.reserve(connection, a_request(user, **self._request))
        for step in self._steps:
            async with database.transaction() as connection:
                await step(connection, await _bot(connection, held.bot.meeting_id))
        async with database.transaction() as connection:
            return await _bot(connection, held.bot.meeting_id)


class Named(Protocol):
    """What a move needs to know of a bot."""

    @property
    def meeting_id(self) -> int: ...

    @property
    def connection_id(self) -> str: ...

    @property
    def request_namespace(self) -> str | None: ...

    @property
    def job_name(self) -> str: ...

    @property
    def pod_uid(self) -> str | None: ...


async def move(
    connection: AsyncConnection,
    bot: Named,
    target: Status,
    *,
    source: Source,
    reason: str | None = None,
    pod_uid: str | None = None,
) -> bool:
    """Move a bot by the function that `source` uses; True if it moved. A bot's own report may also raise."""
    why = reason or USUAL_REASONS.get(target, Reason.REQUESTED)
    if source is Source.BOT:
        speaker = speaker_of(bot, pod_uid=pod_uid)
        reported = transitions.Report(connection_id=bot.connection_id, target=target, reason=why, speaker=speaker)
        return (await transitions.report(connection, reported)).applied
    if source in (Source.OPERATOR, Source.API):
        moved = await transitions.move_reserved(
            connection, bot.connection_id, target=target, source=source, reason=why, message=None
        )
        return moved is not None
    closing = transitions.Closing(meeting_id=bot.meeting_id, reason=why)
    return bool(await transitions.close_many(connection, [closing], target=target, source=source))


async def _bot(connection: AsyncConnection, meeting_id: int) -> Bot:
    found = await bots.bot_by_id(connection, meeting_id)
    assert found is not None
    return found


def _earlier(*columns: str) -> str:
    return ", ".join(f"{column} = {column} - make_interval(secs => :ago)" for column in columns)


_WAIT = f"""
WITH meeting AS (
    UPDATE meetings SET {_earlier("created_at", "updated_at", "start_time", "end_time")} WHERE id = :meeting_id
), session AS (
    UPDATE meeting_sessions SET {_earlier("session_start_time")} WHERE meeting_id = :meeting_id
), beat AS (
    UPDATE usher.heartbeats SET {_earlier("at")} WHERE meeting_id = :meeting_id
), story AS (
    UPDATE usher.transitions SET {_earlier("at")} WHERE meeting_id = :meeting_id
)
UPDATE usher.bots
SET {
    _earlier(
        "job_created_at",
        "leave_requested_at",
        "reserved_at",
        "started_at",
        "joined_at",
        "ended_at",
        "status_changed_at",
    )
}
WHERE meeting_id = :meeting_id
"""


def _copy(table: str, key: str, *suffixed: str, **changed: str) -> str:
    """Insert, for each new id, the first meeting's rows with `key` the new id and the other columns made its own."""
    own = {key: "new.id"} | {column: f"old.{column} || '-' || new.id" for column in suffixed} | changed
    values = ", ".join(f"'{column}', {value}" for column, value in own.items())
    return (
        f"INSERT INTO {table} SELECT copy.* FROM new, {table} old,"
        f" jsonb_populate_record(old, jsonb_build_object({values})) copy WHERE old.{key} = :meeting_id"
    )


_NEXT_SESSION = "nextval(pg_get_serial_sequence('meeting_sessions', 'id'))"
_JOB_NAME = "'bot-' || new.id"
# As `pod_of` says, once there was a pod.
_POD = "CASE WHEN old.pod_uid IS NOT NULL THEN left('pod-' || old.connection_id || '-' || new.id, 36) END"

_COPY = text(f"""
WITH new AS (
    SELECT nextval(pg_get_serial_sequence('meetings', 'id'))::integer AS id FROM generate_series(1, :count)
), meeting AS (
    {_copy("meetings", "id", "platform_specific_id", bot_container_id=_JOB_NAME)}
), session AS (
    {_copy("meeting_sessions", "meeting_id", "session_uid", id=_NEXT_SESSION)}
), bot AS (
    {
    _copy(
        "usher.bots",
        "meeting_id",
        "connection_id",
        "request_name",
        "request_uid",
        job_name=_JOB_NAME,
        pod_uid=_POD,
    )
}
), beat AS (
    {_copy("usher.heartbeats", "meeting_id")}
), story AS (
    {_copy("usher.transitions", "meeting_id", "event_id")}
)
SELECT id FROM new
""")
