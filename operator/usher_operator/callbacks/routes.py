"""The routes of the callback server: who calls, what is said, what it changes, what is answered.

    POST  /bots/internal/callback/{started,joined,heartbeat,exited}
    PATCH /bots/internal/callback/status   (POST too: some clients cannot PATCH)

Every route authenticates first, reads a bounded body in bounded time, checks that the calling pod belongs to the
meeting, and answers with the row's actual status and the commands the bot has not obeyed yet.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar

from aiohttp import web
from prometheus_client import Counter as Metric
from prometheus_client import Histogram
from pydantic import BaseModel, ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db import bots, heartbeats, transitions
from usher_models.db.bots import Bot
from usher_models.db.engine import Database
from usher_models.db.heartbeats import Heard, Sender
from usher_models.db.transitions import Applied, Report
from usher_models.errors import UnknownConnection
from usher_models.states import Desired, Reason, Source, Stage, Status, exit_code_reason, is_behind
from usher_models.wire import BODY_MAX_BYTES, Exited, Heartbeat, Joined, Processed, Reply, Started, StatusUpdate
from usher_operator.callbacks.heartbeat_batch import Beats
from usher_operator.callbacks.pod_token import PodIdentity, TokenVerifier
from usher_operator.http.errors import BadBody, Handler, InvalidBody, error_responses
from usher_operator.http.field_errors import field_errors
from usher_operator.http.server import whole_body
from usher_operator.lifecycle.commands import pending
from usher_operator.telemetry import CALLBACK_SECONDS, CALLBACKS, TRANSITIONS

# More than a bot ever says at once; one that floods must not keep the database from the others.
AT_ONCE = 8
SPEAKER = web.RequestKey("speaker", str)

PREFIX = "/bots/internal/callback"
BODY_TIMEOUT_S = 10
# The only way to say it: JSON forbids the character itself in a string.
ESCAPED_NUL = b"\\u0000"

Body = TypeVar("Body", bound=BaseModel)


@dataclass(frozen=True, kw_only=True)
class Callbacks:
    """The handlers and what they work with."""

    database: Database
    verifier: TokenVerifier
    heartbeat_interval_s: float
    _speaking: Counter[str] = field(default_factory=Counter)
    _beats: Beats = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_beats", Beats(self.database))

    def application(self) -> web.Application:
        """The aiohttp application of port 8081."""
        app = web.Application(
            middlewares=[_measured, error_responses, self._few_at_once], client_max_size=BODY_MAX_BYTES
        )
        app.router.add_post(f"{PREFIX}/started", self.started)
        app.router.add_post(f"{PREFIX}/joined", self.joined)
        app.router.add_post(f"{PREFIX}/heartbeat", self.heartbeat)
        app.router.add_post(f"{PREFIX}/exited", self.exited)
        app.router.add_patch(f"{PREFIX}/status", self.status)
        app.router.add_post(f"{PREFIX}/status", self.status)
        return app

    async def started(self, request: web.Request) -> web.Response:
        """The bot's process runs: reserved becomes starting."""
        pod, body = await self._read(request, Started)
        told = _report(pod, body, Status.STARTING, reason=Reason.STARTED, stage=Stage.BOOTING)
        return self._applied("callback processed", await self._apply(told))

    async def joined(self, request: web.Request) -> web.Response:
        """The bot is in the meeting: it becomes active."""
        pod, body = await self._read(request, Joined)
        told = _report(pod, body, Status.ACTIVE, reason=Reason.JOINED, stage=Stage.IN_MEETING)
        return self._applied("callback processed", await self._apply(told))

    async def heartbeat(self, request: web.Request) -> web.Response:
        """The bot lives. Where its own view is ahead of the row, a callback was lost: the beat makes up for it."""
        pod, body = await self._read(request, Heartbeat)
        bot = await self._beat(pod, body)
        if body.status is not None and not is_behind(body.status, bot.status):
            return self._applied("heartbeat processed", await self._heal(pod, body))
        if _news(body, bot):
            bot = await self._note(pod, body)
        return self._reply("heartbeat processed", bot, applied=True)

    async def status(self, request: web.Request) -> web.Response:
        """The bot is leaving, or moved on within its status."""
        pod, body = await self._read(request, StatusUpdate)
        if body.status is Status.STOPPING:
            told = _report(pod, body, Status.STOPPING, reason=Reason.LEAVING, stage=body.stage or Stage.LEAVING)
            return self._applied("status update processed", await self._apply(told))
        bot = await self._beat(pod, body)
        changed = body.stage is not None and body.stage != bot.stage
        if changed:
            bot = await self._note(pod, body)
        return self._reply("status update processed", bot, applied=changed)

    async def exited(self, request: web.Request) -> web.Response:
        """The bot's last word: the meeting is completed or failed."""
        pod, body = await self._read(request, Exited)
        target = Status.COMPLETED if body.exit_code == 0 else Status.FAILED
        detail: dict[str, object] = {"exit_code": body.exit_code}
        if body.detail:
            detail["detail"] = body.detail
        told = Report(
            connection_id=body.connection_id,
            target=target,
            reason=body.reason or await self._exit_reason(pod, body),
            pod_uid=pod.pod_uid,
            event_id=body.event_id,
            detail=detail,
            namespace=pod.namespace,
            job_name=pod.job_name,
        )
        return self._applied("callback processed", await self._apply(told))

    @web.middleware
    async def _few_at_once(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let go of what `_read` took: a bot's callbacks in flight are counted, so that it cannot have too many."""
        try:
            return await handler(request)
        finally:
            if (pod_uid := request.get(SPEAKER)) is not None:
                self._speaking[pod_uid] -= 1
                if not self._speaking[pod_uid]:
                    del self._speaking[pod_uid]

    async def _read(self, request: web.Request, model: type[Body]) -> tuple[PodIdentity, Body]:
        pod = await self.verifier.verify(request.headers.get("Authorization"))
        if self._speaking[pod.pod_uid] >= AT_ONCE:
            raise web.HTTPTooManyRequests(text=f"This bot has {AT_ONCE} callbacks in flight; wait for their answers.")
        self._speaking[pod.pod_uid] += 1
        request[SPEAKER] = pod.pod_uid
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
            return pod, model.model_validate(body)
        except ValidationError as exc:
            raise InvalidBody(field_errors(exc)) from exc

    async def _apply(self, told: Report) -> Applied:
        async with self.database.at_once() as connection:
            applied = await transitions.report(connection, told)
        _count(applied, told)
        return applied

    async def _exit_reason(self, pod: PodIdentity, body: Exited) -> str:
        if body.exit_code != 0:
            return exit_code_reason(body.exit_code) if body.exit_code > 0 else Reason.JOB_FAILED
        async with self.database.reading() as connection:
            bot = await _own(connection, pod, body.connection_id)
        return (bot.leave_reason or Reason.STOPPED) if bot.desired is Desired.LEAVE else Reason.LEFT

    async def _heal(self, pod: PodIdentity, body: Heartbeat) -> Applied:
        assert body.status is not None  # noqa: S101 - only a view that is ahead is healed
        reason = {Status.STARTING: Reason.STARTED, Status.ACTIVE: Reason.JOINED}.get(body.status, Reason.LEAVING)
        told = _report(pod, body, body.status, reason=reason, stage=body.stage)
        return await self._apply(told)

    async def _note(self, pod: PodIdentity, body: Heartbeat | StatusUpdate) -> Bot:
        beat = body if isinstance(body, Heartbeat) else None
        async with self.database.at_once() as connection:
            return await heartbeats.note_details(
                connection,
                body.connection_id,
                pod_uid=pod.pod_uid,
                stage=body.stage,
                applied_generation=beat.applied_generation if beat else None,
                participants=beat.participants if beat else None,
            )

    async def _beat(self, pod: PodIdentity, body: Heartbeat | StatusUpdate) -> Bot | Heard:
        seq = body.seq if isinstance(body, Heartbeat) else None
        sender = Sender(
            connection_id=body.connection_id,
            pod_uid=pod.pod_uid,
            namespace=pod.namespace,
            job_name=pod.job_name,
            seq=seq,
        )
        heard = await self._beats.note(sender)
        if heard is not None:
            return heard
        async with self.database.at_once() as connection:
            await _own(connection, pod, body.connection_id)
            sign = heartbeats.Beat(connection_id=body.connection_id, pod_uid=pod.pod_uid, seq=seq)
            return await heartbeats.beat(connection, sign)

    def _applied(self, status: Processed, applied: Applied) -> web.Response:
        return self._reply(status, applied.bot, applied=applied.applied)

    def _reply(self, status: Processed, bot: Bot | Heard, *, applied: bool) -> web.Response:
        # Built of what is known to be right, and on the way of every heartbeat: it is not validated again.
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
    """The same without the one character that Postgres cannot store: last words come from a dying process."""
    return {key: value.replace("\0", "\ufffd") if isinstance(value, str) else value for key, value in fields.items()}


def _report(
    pod: PodIdentity,
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
        pod_uid=pod.pod_uid,
        event_id=body.event_id,
        stage=stage,
        namespace=pod.namespace,
        job_name=pod.job_name,
    )


async def _own(connection: AsyncConnection, pod: PodIdentity, connection_id: str) -> Bot:
    """The meeting, when the pod is one of its Job's. Raises UnknownConnection or Forbidden."""
    bot = await bots.bot_by_connection(connection, connection_id)
    if bot is None:
        raise UnknownConnection(f"No meeting has the connection id {connection_id!r}.")
    pod.require_job(bot.request_namespace, bot.job_name)
    return bot


def _news(body: Heartbeat, bot: Bot | Heard) -> bool:
    return (
        (body.stage is not None and body.stage != bot.stage)
        or (body.applied_generation or 0) > bot.applied_generation
        or (body.participants is not None and body.participants != bot.participants)
    )


def _count(applied: Applied, told: Report) -> None:
    if applied.applied:
        TRANSITIONS.labels(target=told.target, source=Source.BOT, reason=told.reason).inc()


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
