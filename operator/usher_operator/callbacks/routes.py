"""The routes of the callback server: authenticate, read, apply, answer.

    POST  /bots/internal/callback/{started,joined,heartbeat,exited}
    PATCH /bots/internal/callback/status   (POST too: some clients cannot PATCH)

Every route authenticates first, reads a bounded body in bounded time, checks that the calling pod belongs to the
meeting, and answers with the row's actual status and the commands that the bot has not carried out yet.
"""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar

from aiohttp import web
from prometheus_client import Counter as Metric
from prometheus_client import Histogram
from pydantic import ValidationError

from usher_models.db import bots, heartbeats
from usher_models.db.bots import Bot
from usher_models.db.engine import Database
from usher_models.db.heartbeats import BotState
from usher_models.db.known_ids import KnownIds
from usher_models.db.leader_lock import UNFENCED
from usher_models.db.shares import on_behalf_of
from usher_models.db.speaker import Speaker
from usher_models.db.transitions import Applied, Report
from usher_models.errors import RowMissing, UnknownConnection
from usher_models.outcomes import Party
from usher_models.states import Reason, Stage, Status, is_behind
from usher_models.wire import BODY_MAX_BYTES, Exited, Heartbeat, Joined, Processed, Reply, Started, StatusUpdate
from usher_operator.callbacks.heartbeat_batch import HeartbeatBatch
from usher_operator.callbacks.pod_token import TokenVerifier
from usher_operator.http.errors import BadBody, Handler, InvalidBody, error_responses
from usher_operator.http.field_errors import field_errors
from usher_operator.http.server import whole_body
from usher_operator.lifecycle.close import Ends
from usher_operator.lifecycle.commands import pending
from usher_operator.lifecycle.end_of_bot import End, end_of, needs_evidence
from usher_operator.lifecycle.termination import Termination
from usher_operator.telemetry import CALLBACK_SECONDS, CALLBACKS

# More than a bot ever sends at once; one that floods must not keep the database from the others.
MAX_IN_FLIGHT = 8
COUNTED = web.RequestKey("counted", ExitStack)
# The users of this many meetings are remembered.
MOST_USERS = 131_072

PREFIX = "/bots/internal/callback"
BODY_TIMEOUT_S = 10
# The only way to write it: JSON forbids the character itself in a string.
ESCAPED_NUL = b"\\u0000"

Body = TypeVar("Body", Started, Joined, Heartbeat, StatusUpdate, Exited)


@dataclass(frozen=True, kw_only=True)
class Callbacks:
    """The handlers of the callback server."""

    database: Database
    verifier: TokenVerifier
    heartbeat_interval_s: float
    termination: Termination
    heartbeat_database: Database | None = None
    """Connections that only heartbeats take; None to share those of the other callbacks."""
    known_ids: KnownIds = field(default_factory=KnownIds)
    _in_flight: Counter[str] = field(default_factory=Counter)
    _heartbeats: HeartbeatBatch = field(init=False)
    _ends: Ends = field(init=False)
    _users: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_heartbeats", HeartbeatBatch(self.heartbeat_database or self.database))
        object.__setattr__(self, "_ends", Ends(self.database, fence=UNFENCED))

    def application(self) -> web.Application:
        """The aiohttp application of port 8081."""
        app = web.Application(middlewares=[_measured, error_responses, self._account], client_max_size=BODY_MAX_BYTES)
        app.router.add_post(f"{PREFIX}/started", self.started)
        app.router.add_post(f"{PREFIX}/joined", self.joined)
        app.router.add_post(f"{PREFIX}/heartbeat", self.heartbeat)
        app.router.add_post(f"{PREFIX}/exited", self.exited)
        app.router.add_patch(f"{PREFIX}/status", self.status)
        app.router.add_post(f"{PREFIX}/status", self.status)
        return app

    async def started(self, request: web.Request) -> web.Response:
        """The bot's process runs: reserved becomes starting."""
        speaker, body = await self._read(request, Started)
        report = _report(speaker, body, Status.STARTING, reason=Reason.STARTED, stage=Stage.BOOTING)
        return self._applied("callback processed", await self._apply(report))

    async def joined(self, request: web.Request) -> web.Response:
        """The bot is in the meeting: it becomes active."""
        speaker, body = await self._read(request, Joined)
        report = _report(speaker, body, Status.ACTIVE, reason=Reason.JOINED, stage=Stage.IN_MEETING)
        return self._applied("callback processed", await self._apply(report))

    async def heartbeat(self, request: web.Request) -> web.Response:
        """The bot is alive. If its status is ahead of the row, a callback was lost: the heartbeat makes up for it."""
        speaker, body = await self._read(request, Heartbeat)
        bot = await self._record(speaker, body)
        if body.status is not None and not is_behind(body.status, bot.status):
            return self._applied("heartbeat processed", await self._repair(speaker, body))
        if _has_new_details(body, bot):
            bot = await self._record_details(speaker, body)
        return self._reply("heartbeat processed", bot, applied=True)

    async def status(self, request: web.Request) -> web.Response:
        """The bot leaves, or its stage changed."""
        speaker, body = await self._read(request, StatusUpdate)
        if body.status is Status.STOPPING:
            report = _report(speaker, body, Status.STOPPING, reason=Reason.LEAVING, stage=body.stage or Stage.LEAVING)
            return self._applied("status update processed", await self._apply(report))
        bot = await self._record(speaker, body)
        changed = body.stage is not None and body.stage != bot.stage
        if changed:
            bot = await self._record_details(speaker, body)
        return self._reply("status update processed", bot, applied=changed)

    async def exited(self, request: web.Request) -> web.Response:
        """The bot's last report: the meeting is completed or failed."""
        speaker, body = await self._read(request, Exited)
        end = await self._end(speaker, body)
        detail: dict[str, object] = {"exit_code": body.exit_code}
        if body.detail:
            detail["detail"] = body.detail
        report = Report(
            connection_id=body.connection_id,
            target=end.target,
            reason=end.reason,
            event_id=body.event_id,
            detail=detail,
            declared=Party(body.reason_kind) if body.reason_kind else None,
            speaker=speaker,
        )
        return self._applied("callback processed", await self._apply(report))

    @web.middleware
    async def _account(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """End with the request what `_read` counts: a bot's callbacks in flight, and a user's share of the database."""
        with ExitStack() as counted:
            request[COUNTED] = counted
            try:
                return await handler(request)
            except UnknownConnection as exc:
                # Its pod is one of ours, so the database may have lost the row: the bot must not give up.
                raise RowMissing from exc

    @contextmanager
    def _in_flight_of(self, pod_uid: str) -> Iterator[None]:
        if self._in_flight[pod_uid] >= MAX_IN_FLIGHT:
            raise web.HTTPTooManyRequests(text=f"This bot has {MAX_IN_FLIGHT} callbacks in flight already.")
        self._in_flight[pod_uid] += 1
        try:
            yield
        finally:
            self._in_flight[pod_uid] -= 1
            if not self._in_flight[pod_uid]:
                del self._in_flight[pod_uid]

    def _tenant(self, connection_id: str) -> AbstractContextManager[None]:
        """Count what follows for the meeting's user, or for the meeting until its user is known here."""
        user_id = self._users.get(connection_id)
        return on_behalf_of(f"meeting {connection_id}" if user_id is None else f"user {user_id}")

    def _remember_user(self, connection_id: str, user_id: int) -> None:
        if len(self._users) >= MOST_USERS:
            self._users.clear()
        self._users[connection_id] = user_id

    async def _read(self, request: web.Request, model: type[Body]) -> tuple[Speaker, Body]:
        speaker = await self.verifier.verify(request.headers.get("Authorization"))
        request[COUNTED].enter_context(self._in_flight_of(speaker.pod_uid))
        try:
            raw = await whole_body(request, within_s=BODY_TIMEOUT_S)
            body = json.loads(raw, object_hook=_storable if ESCAPED_NUL in raw else None)
        except (ValueError, RecursionError) as exc:
            raise BadBody("The body is not JSON.") from exc
        except TimeoutError as exc:
            raise web.HTTPRequestTimeout(text=f"The body took longer than {BODY_TIMEOUT_S} s.") from exc
        if not isinstance(body, dict):
            raise BadBody
        try:
            understood = model.model_validate(body)
        except ValidationError as exc:
            raise InvalidBody(field_errors(exc)) from exc
        request[COUNTED].enter_context(self._tenant(understood.connection_id))
        return speaker, understood

    async def _apply(self, report: Report) -> Applied:
        applied = await self._ends.report(report)
        self._remember_user(report.connection_id, applied.bot.user_id)
        return applied

    async def _end(self, speaker: Speaker, body: Exited) -> End:
        async with self.database.reading() as connection:
            bot = await bots.bot_by_connection(connection, body.connection_id)
        if bot is None:
            raise UnknownConnection(f"No meeting has the connection id {body.connection_id!r}.")
        speaker.require_job_of(bot)
        asks = bot.live and needs_evidence(bot, exit_code=body.exit_code, reason=body.reason)
        evidence = await self.termination.reason(bot) if asks else None
        return end_of(bot, exit_code=body.exit_code, reason=body.reason, evidence=evidence)

    async def _repair(self, speaker: Speaker, body: Heartbeat) -> Applied:
        assert body.status is not None  # noqa: S101 - only a status that is ahead of the row is repaired
        reason = {Status.STARTING: Reason.STARTED, Status.ACTIVE: Reason.JOINED}.get(body.status, Reason.LEAVING)
        report = _report(speaker, body, body.status, reason=reason, stage=body.stage)
        return await self._apply(report)

    async def _record_details(self, speaker: Speaker, body: Heartbeat | StatusUpdate) -> Bot:
        heartbeat = body if isinstance(body, Heartbeat) else None
        async with self.database.at_once() as connection:
            return await heartbeats.record_details(
                connection,
                body.connection_id,
                speaker=speaker,
                stage=body.stage,
                applied_generation=heartbeat.applied_generation if heartbeat else None,
                participants=heartbeat.participants if heartbeat else None,
                detail=heartbeat.detail if heartbeat else None,
            )

    async def _record(self, speaker: Speaker, body: Heartbeat | StatusUpdate) -> Bot | BotState:
        seq = body.seq if isinstance(body, Heartbeat) else None
        heartbeat = heartbeats.Heartbeat(connection_id=body.connection_id, speaker=speaker, seq=seq)
        recorded = await self._heartbeats.record(heartbeat)
        if recorded is not None:
            self._remember_user(body.connection_id, recorded.user_id)
            return recorded
        async with self.database.at_once() as connection:
            return await heartbeats.record(connection, heartbeat)

    def _applied(self, status: Processed, applied: Applied) -> web.Response:
        return self._reply(status, applied.bot, applied=applied.applied)

    def _reply(self, status: Processed, bot: Bot | BotState, *, applied: bool) -> web.Response:
        self.known_ids.note(bot.meeting_id)
        # Every heartbeat passes here, and the values are valid already: validating them again would only cost time.
        reply = Reply.model_construct(
            status=status,
            meeting_id=bot.meeting_id,
            new_status=bot.status,
            applied=applied,
            commands=pending(bot),
            next_beat_s=self.heartbeat_interval_s,
        )
        body = reply.__pydantic_serializer__.to_json(reply, exclude_none=True)
        return web.Response(body=body, content_type="application/json")


def _storable(fields: dict[str, object]) -> dict[str, object]:
    """The same fields without the one character that Postgres cannot store: a crashing process may send it."""
    return {key: value.replace("\0", "\ufffd") if isinstance(value, str) else value for key, value in fields.items()}


def _report(
    speaker: Speaker,
    body: Started | Joined | Heartbeat | StatusUpdate,
    target: Status,
    *,
    reason: str,
    stage: Stage | None,
) -> Report:
    return Report(
        connection_id=body.connection_id,
        target=target,
        reason=reason,
        speaker=speaker,
        event_id=body.event_id,
        stage=stage,
    )


def _has_new_details(body: Heartbeat, bot: Bot | BotState) -> bool:
    return (
        (body.stage is not None and body.stage != bot.stage)
        or (body.applied_generation or 0) > bot.applied_generation
        or (body.participants is not None and body.participants != bot.participants)
        or bool(body.detail)
    )


@web.middleware
async def _measured(request: web.Request, handler: object) -> web.StreamResponse:
    kind = request.path.rpartition("/")[2] if request.match_info.route.resource else "unknown"
    with _seconds(kind).time():
        response: web.StreamResponse = await handler(request)  # type: ignore[operator]
    _answered(kind, response.status).inc()
    return response


@cache
def _seconds(kind: str) -> Histogram:
    return CALLBACK_SECONDS.labels(kind=kind)


@cache
def _answered(kind: str, code: int) -> Metric:
    return CALLBACKS.labels(kind=kind, code=code)
