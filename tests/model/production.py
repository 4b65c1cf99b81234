"""Usher's own code, run one question at a time.

`ensure`, the callbacks and every failure mode of the reconciler are the production functions themselves. Only what
they ask of Postgres, the API server and Redis is answered by the model: each such question is one atomic step between
which everything else may happen. A program that runs is not a coroutine but what it was answered so far; to go on, a
new coroutine is given the same answers again. So a running program can be kept in a set, compared and forked.
"""

import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple
from unittest.mock import patch

from tests.fakes.bots import RESERVED_AT, a_bot_row
from tests.fakes.objects import COMPLETE, FAILED_BY_POLICY, a_botrequest, a_job, a_pod, running, terminated
from tests.fakes.settings import INSTALLATION, some_settings
from tests.model.system import Message, Phase, Pod, Program, Row
from usher_models.db import bots, desired_state, heartbeats, reservations, stale_rules, transitions
from usher_models.db.bots import Bot, BotSummary, Requested, StaleBot
from usher_models.db.leader_lock import UNFENCED
from usher_models.db.speaker import Speaker
from usher_models.errors import (
    AnotherPodSpeaks,
    CapReached,
    DatabaseUnavailable,
    IllegalMove,
    KubernetesUnavailable,
    MeetingOver,
    Unavailable,
    UnknownConnection,
    UsherError,
)
from usher_models.states import Desired, Judgement, Reason, Status
from usher_models.wire import Exited, Heartbeat, Joined, Started, StatusUpdate
from usher_operator.callbacks.heartbeat_batch import HeartbeatBatch
from usher_operator.callbacks.routes import Callbacks
from usher_operator.http.errors import status_of
from usher_operator.kube.api_budget import ApiBudget
from usher_operator.kube.botrequest import BotRequest
from usher_operator.kube.port import Json
from usher_operator.lifecycle import finished_job
from usher_operator.lifecycle.allowed_spec import AllowedSpec
from usher_operator.lifecycle.close import Closer, Ends
from usher_operator.lifecycle.commands import Commander
from usher_operator.lifecycle.create_request import RequestCreator
from usher_operator.lifecycle.created_jobs import CreatedJobs
from usher_operator.lifecycle.ensure import Ensurer
from usher_operator.lifecycle.evidence.collector import NoEvidence
from usher_operator.lifecycle.finished_job import FinishedJob
from usher_operator.lifecycle.first_tries import FirstTries
from usher_operator.lifecycle.hold import Hold
from usher_operator.processes.operate import job_settings
from usher_operator.reconcile import snapshot
from usher_operator.reconcile.failure_modes import FAILURE_MODES
from usher_operator.reconcile.repairs import missed_request
from usher_operator.reconcile.snapshot import Snapshot
from usher_operator.reconcile.sweep import Acts, Memory, Picture, Sweep
from usher_operator.redis_acl.users import NoUsers
from usher_operator.watch.in_flight import InFlight

NAMESPACE = "bots"
# One look longer than the grace of any failure mode: what was wrong in the last sweep is overdue in this one.
SETTINGS = some_settings(orphan_grace_s=10)
REPAIRS = {mode.name: mode.repair for mode in FAILURE_MODES}
# What each failure mode looks at. Left out: a maximum duration ends in a wish to leave, which the model has; rows of
# the REST API and images that cannot be pulled are not in it. Silence is judged without the API server too.
NEEDS = {
    "finished_job": "live jobs pods",
    "never_started": "",
    "never_joined": "",
    "heartbeat_lost": "",
    "never_exited": "",
    "ignored_leave": "jobs",
    "deleted_request": "live requests jobs pods",
    "missing_job": "live requests jobs pods",
    "orphan_job": "live jobs",
    "missed_request": "live requests",
}
SWEEPS = tuple(NEEDS)


class Trouble(StrEnum):
    """An answer that is no answer."""

    DATABASE = "database"
    KUBERNETES = "kubernetes"


_TROUBLES: dict[Trouble, type[Unavailable]] = {
    Trouble.DATABASE: DatabaseUnavailable,
    Trouble.KUBERNETES: KubernetesUnavailable,
}


class Ask:
    """One question to the outside. `trouble` is what can go wrong with it."""

    def __init__(self, what: str, *args: Any, trouble: Trouble = Trouble.DATABASE) -> None:
        self.what = what
        self.args = args
        self.trouble = trouble

    def __await__(self) -> Generator["Ask", Any, Any]:
        return (yield self)


class Done(NamedTuple):
    """A program has ended with this value."""

    value: Any


def connection_of(number: int) -> str:
    return f"request-{number}"


def number_of(name: str | None) -> int:
    return int((name or "").rpartition("-")[2])


def as_bot(number: int, row: Row) -> Bot:
    """The row as production reads it."""
    return a_bot_row(
        meeting_id=number,
        status=row.status,
        connection_id=connection_of(number),
        request_namespace=NAMESPACE,
        request_name=connection_of(number),
        request_uid=connection_of(number),
        request_generation=row.generation,
        job_name=f"bot-{number}",
        job_created_at=RESERVED_AT if row.job_created else None,
        desired=Desired.LEAVE if row.leave else Desired.RUN,
        leave_reason=Reason.STOPPED if row.leave else None,
        joined_at=RESERVED_AT if row.joined else None,
        ended_at=None if row.live else RESERVED_AT,
    )


def as_request(number: int, wish: str, shown: str) -> Json:
    accepted = {"type": "Accepted", "status": "False", "observedGeneration": 1 + (wish == "leave")}
    status = {"phase": shown, "conditions": [accepted] if shown == "refused" else []}
    return a_botrequest(
        connection_of(number),
        uid=connection_of(number),
        generation=1 + (wish == "leave"),
        nativeMeetingId=str(85_000_000_000 + number),
        desiredState="Left" if wish == "leave" else None,
        status=status if shown else None,
    )


def as_job(number: int, job: str) -> Json:
    condition = {"complete": COMPLETE, "failed": FAILED_BY_POLICY}.get(job)
    return a_job(number, connection_id=connection_of(number), condition=condition)


def as_pod(number: int, pod: Pod) -> Json:
    state = terminated(pod.code) if pod.phase is Phase.DONE else running()
    return a_pod(f"bot-{number}", suffix=f"aaaa{pod.number}", uid=f"pod-{pod.number}", state=state)


class ModelDatabase:
    """Its transactions hold nothing: each function that is called inside one is a step of its own."""

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        yield None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        yield None

    @asynccontextmanager
    async def at_once(self) -> AsyncIterator[None]:
        yield None


class ModelKube:
    """KubePort, as questions."""

    async def create_job(self, _namespace: str, job: Json) -> Any:
        return await _kubernetes("create_job", number_of(job["metadata"]["name"]))

    async def get_job(self, _namespace: str, name: str) -> Json | None:
        job = await _kubernetes("job", number_of(name))
        return None if job == "none" else as_job(number_of(name), job)

    async def delete_job(self, _namespace: str, name: str, *, uid: str | None = None) -> Any:
        return await _kubernetes("delete_job", number_of(name))

    async def list_requests(self, _namespace: str, *, ended: bool = True) -> list[BotRequest]:
        return [BotRequest.from_object(as_request(*each)) for each in await _kubernetes("requests")]

    async def list_jobs(self, _namespace: str, *, succeeded: bool = True, request_uid: str | None = None) -> list[Json]:
        return [as_job(*each) for each in await _kubernetes("jobs")]

    async def list_pods(self, _namespace: str, *, job_name: str | None = None, succeeded: bool = True) -> list[Json]:
        pods = await _kubernetes("pods")
        return [as_pod(number, pod) for number, pod in pods if job_name in (None, f"bot-{number}")]

    async def patch_request_status(self, _namespace: str, name: str, _status: Json, *, uid: str) -> bool:
        return bool(await _kubernetes("refuse", number_of(name)))

    async def create_event(self, _namespace: str, _event: Json) -> None:
        return None

    async def pod_events(self, _namespace: str, _pod_name: str) -> list[Json]:
        return []


class ModelPublisher:
    """Redis: the command reaches the bot, or it does not."""

    async def publish(self, bot: BotSummary, command: Any) -> None:
        await Ask("publish", bot.meeting_id)


def _kubernetes(what: str, *args: Any) -> Ask:
    return Ask(what, *args, trouble=Trouble.KUBERNETES)


async def _bot_by_connection(_: Any, connection_id: str) -> Bot | None:
    return await _bot_by_id(_, number_of(connection_id))


async def _bot_by_id(_: Any, meeting_id: int) -> Bot | None:
    row = await Ask("row", meeting_id)
    return as_bot(meeting_id, row) if row else None


async def _requests_of(_: Any, connections: Any) -> dict[str, Requested]:
    found = [as_bot(number, row) for number, row in await Ask("rows")]
    return {bot.connection_id: _as_requested(bot) for bot in found if bot.connection_id in connections}


def _as_requested(bot: Bot) -> Requested:
    return Requested(
        uid=bot.request_uid,
        generation=bot.request_generation,
        ended=bot.ended_at is not None,
        job_created=bot.job_created_at is not None,
        leaving=bot.desired is Desired.LEAVE,
    )


async def _bots_by_id(_: Any, ids: list[int]) -> dict[int, Bot]:
    return {number: as_bot(number, row) for number, row in await Ask("rows") if number in ids}


async def _live_bots(_: Any) -> list[Bot]:
    return [as_bot(number, row) for number, row in await Ask("rows") if row.live]


async def _bots_ignoring_leave(_: Any, **_grace: Any) -> list[Bot]:
    rows = await Ask("rows")
    return [as_bot(number, row) for number, row in rows if row.live and row.leave and row.job_created]


async def _stale_bots(_: Any, rule: stale_rules.Rule, **_limits: Any) -> list[StaleBot]:
    return [_as_stale(as_bot(number, row)) for number, row in await Ask("stale", rule.status)]


def _as_stale(bot: Bot) -> StaleBot:
    summary = {field.name: getattr(bot, field.name) for field in fields(BotSummary)}
    return StaleBot(**summary, reported_at=RESERVED_AT, unreported_s=1000)


async def _mark_jobs_created(_: Any, meeting_ids: list[int]) -> None:
    for number in meeting_ids:
        await Ask("mark_job", number)


async def _reserve(_: Any, request: reservations.Request) -> reservations.Reservation:
    number = number_of(request.connection_id)
    row = await Ask("reserve", number, request.request_generation)
    if row is None:
        raise CapReached(limit=1, used=1)
    return reservations.Reservation(bot=as_bot(number, row), created=True)


async def _move_reserved(_: Any, connection_id: str, *, target: Any, source: Any, reason: str, message: Any) -> Any:
    number = number_of(connection_id)
    ended = await Ask("end_reserved", number, target, source, str(reason))
    return as_bot(number, Row(status=target, ended_by=source)) if ended else None


async def _close_many(
    _: Any, closings: Any, *, target: Any, source: Any, guard: str = "true", guard_values: Any = None
) -> list[transitions.Moved]:
    if not closings:
        return []
    wanted = tuple((closing.meeting_id, str(closing.reason)) for closing in closings)
    status = (guard_values or {}).get("stale_status") or (Status.RESERVED if "'reserved'" in guard else None)
    moved = await Ask("close", wanted, target, source, status, "stale_status" in (guard_values or {}))
    return [
        transitions.Moved(
            meeting_id=number,
            connection_id=connection_of(number),
            job_name=f"bot-{number}",
            namespace=NAMESPACE,
            origin=origin,
            reason=dict(wanted)[number],
            fault=None,
            platform="google_meet",
            joined=False,
        )
        for number, origin in moved
    ]


async def _report(_: Any, told: transitions.Report) -> transitions.Applied:
    number = number_of(told.connection_id)
    asked = Ask("report", number, told.target, number_of(told.speaker.pod_uid), told.event_id, str(told.reason))
    judgement, row = await asked
    if judgement is Judgement.ANOTHER_POD_SPEAKS:
        raise AnotherPodSpeaks
    if judgement is Judgement.OVER:
        raise MeetingOver(meeting_id=number, status=row.status)
    if judgement is Judgement.ILLEGAL:
        raise IllegalMove
    return transitions.Applied(bot=as_bot(number, row), applied=judgement is Judgement.MOVED)


async def _record(_: Any, heartbeat: heartbeats.Heartbeat) -> Bot:
    number = number_of(heartbeat.connection_id)
    judgement, row = await Ask("beat", number, number_of(heartbeat.speaker.pod_uid))
    if row is None:
        raise UnknownConnection
    if judgement is Judgement.OVER:
        raise MeetingOver(meeting_id=number, status=row.status)
    if judgement is Judgement.ANOTHER_POD_SPEAKS:
        raise AnotherPodSpeaks
    return as_bot(number, row)


async def _record_many(_: Any, sent: Any) -> dict[str, heartbeats.BotState]:
    (heartbeat,) = sent
    number = number_of(heartbeat.connection_id)
    row = await Ask("beat_many", number, number_of(heartbeat.speaker.pod_uid))
    return {heartbeat.connection_id: _state(as_bot(number, row))} if row else {}


def _state(bot: Bot) -> heartbeats.BotState:
    return heartbeats.BotState(**{field.name: getattr(bot, field.name) for field in fields(heartbeats.BotState)})


async def _nothing(*_args: Any, **_fields: Any) -> None:
    return None


async def _want_leave(_: Any, ids: Any, *, reason: str) -> list[int]:
    assert reason
    return list(await Ask("want_leave", tuple(ids))) if ids else []


async def _note_request(_: Any, meeting_id: int, *, generation: int, **_names: Any) -> None:
    await Ask("note_request", meeting_id, generation)


class Unread:
    """What a failure mode was said not to look at; looking at it all the same ends the search."""

    def __getattr__(self, name: str = "items") -> Any:
        raise AssertionError(f"This failure mode reads .{name} of something that NEEDS leaves out.")

    __iter__ = __len__ = __getattr__


async def _take(needs: str) -> Snapshot:
    """`snapshot.take` with its lists one after another, as they may well be answered; those not needed are not read."""
    try:
        requests = await _KUBE.list_requests(NAMESPACE) if "requests" in needs else Unread()
        jobs = await _KUBE.list_jobs(NAMESPACE) if "jobs" in needs else Unread()
        pods = await _KUBE.list_pods(NAMESPACE) if "pods" in needs else Unread()
    except KubernetesUnavailable:
        return Snapshot()
    return _snapshot(requests, jobs, pods)


def _snapshot(requests: Any, jobs: Any, pods: Any) -> Snapshot:
    """The lists as `snapshot._take_one` keeps them."""
    parts: dict[str, Any] = {"requests": requests, "jobs": jobs, "pods": pods, "namespaces": frozenset({NAMESPACE})}
    if not isinstance(jobs, Unread):
        parts["jobs"] = {(NAMESPACE, job["metadata"]["name"]): job for job in jobs}
    if not isinstance(pods, Unread):
        parts["pods"] = {(NAMESPACE, pod["metadata"]["labels"][snapshot.JOB_NAME_LABEL]): pod for pod in pods}
    return Snapshot(**parts)


_ANSWERED: dict[Any, dict[str, Any]] = {
    bots: {
        "bot_by_connection": _bot_by_connection,
        "bot_by_id": _bot_by_id,
        "bots_by_id": _bots_by_id,
        "requests_of": _requests_of,
        "live_summaries": _live_bots,
        "mark_jobs_created": _mark_jobs_created,
    },
    reservations: {"reserve": _reserve},
    transitions: {"report": _report, "move_reserved": _move_reserved, "close_many": _close_many},
    desired_state: {
        "want_leave": _want_leave,
        "want_config": _nothing,
        "note_request": _note_request,
        "bots_ignoring_leave": _bots_ignoring_leave,
    },
    heartbeats: {"record": _record, "record_many": _record_many, "record_details": _bot_by_connection},
    stale_rules: {"stale_bots": _stale_bots},
}


@contextmanager
def answered_by_the_model() -> Iterator[None]:
    """Inside, production asks the model instead of the stores."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(finished_job, "ApiBudget", _ApiBudget))
        stack.enter_context(patch.object(missed_request, "each", _each))
        for module, functions in _ANSWERED.items():
            stack.enter_context(patch.multiple(module, **functions))
        logging.disable(logging.CRITICAL)
        stack.callback(logging.disable, logging.NOTSET)
        advance.cache_clear()
        yield


class _FirstTries(FirstTries):
    """Each try may be the first one: no Job needs to be looked for."""

    def is_first(self, request: BotRequest) -> bool:
        return True


class _HeartbeatBatch(HeartbeatBatch):
    """A batch of one: the model has no event loop to gather more in. The statement decides, and that is asked."""

    async def record(self, heartbeat: heartbeats.Heartbeat) -> heartbeats.BotState | None:
        return (await heartbeats.record_many(_DATABASE, [heartbeat])).get(heartbeat.connection_id)


class _CreatedJobs(CreatedJobs):
    """As the beats: one Job at a time."""

    async def record(self, meeting_id: int) -> None:
        await bots.mark_jobs_created(_DATABASE, [meeting_id])


class _ApiBudget(ApiBudget):
    """One call after another, and the model has no clock."""

    def __init__(self) -> None:
        pass

    async def call(self, _namespace: str, work: Any) -> Any:
        try:
            return await work()
        except KubernetesUnavailable:
            return None

    async def gather(self, *works: Any) -> list[Any]:
        return [await work for work in works]


async def _each(things: Any, work: Any, **_how: Any) -> None:
    """`each`, one after another."""
    for thing in things:
        await work(thing)


class _Callbacks(Callbacks):
    """The callback server with its requests read already."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_heartbeats", _HeartbeatBatch(self.database))
        object.__setattr__(self, "_ends", Ends(self.database, fence=UNFENCED))

    async def _read(self, request: Any, _model: Any) -> Any:
        return request


_DATABASE: Any = ModelDatabase()
_KUBE: Any = ModelKube()
_COMMANDER = Commander(_DATABASE, ModelPublisher())
_BUDGET = _ApiBudget()
_CLOSER = Closer(ends=Ends(_DATABASE, fence=UNFENCED), kube=_KUBE, evidence=NoEvidence())
_FINISHED_JOB = FinishedJob(database=_DATABASE, kube=_KUBE, closer=_CLOSER)
_NONE: Any = None
_CALLBACKS: Any = _Callbacks(database=_DATABASE, verifier=_NONE, heartbeat_interval_s=30, termination=_NONE)
_ENSURER = Ensurer(
    database=_DATABASE,
    kube=_KUBE,
    commander=_COMMANDER,
    redis_users=NoUsers(),
    job_settings=job_settings(SETTINGS, installation=INSTALLATION),
    allowed=AllowedSpec(SETTINGS),
    hold=Hold(),
    now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
    fence=UNFENCED,
)
_ENSURER._starter._created_jobs = _CreatedJobs(_DATABASE)
# The model loses no row.
_ENSURER._first_tries = _FirstTries(lambda: datetime(2026, 1, 1, tzinfo=UTC), leading_for_s=lambda: 0.0)


async def _ensure(number: int, wish: str, shown: str) -> None:
    request = BotRequest.from_object(as_request(number, wish, shown))
    await (_ENSURER.withdraw(request) if wish == "gone" else _ENSURER.ensure(request))


async def _job_seen(number: int, job: str) -> None:
    await _FINISHED_JOB.close(as_job(number, job) | {})


async def _sweep(name: str, memory: frozenset[tuple[str, object]]) -> frozenset[tuple[str, object]]:
    """One failure mode with a look at the state of its own; what it saw amiss, for the next."""
    remembered = Memory.empty(settings=SETTINGS, kube=_KUBE, clock=lambda: SETTINGS.orphan_grace_s)
    remembered.grace._since = dict.fromkeys(memory, 0.0)
    needs = NEEDS[name]
    live: Any = await _live_bots(None) if "live" in needs else Unread()
    sweep = Sweep(
        settings=SETTINGS,
        database=_DATABASE,
        acts=Acts(
            commander=_COMMANDER,
            ensurer=_ENSURER,
            closer=_CLOSER,
            request_creator=RequestCreator(database=_DATABASE, kube=_KUBE),
        ),
        memory=remembered,
        # The model loses no row.
        epoch=_NONE,
        in_flight=InFlight(),
        picture=Picture(
            installation=INSTALLATION, live=live, snapshot=await _take(needs) if "s" in needs else Snapshot()
        ),
        api=_BUDGET,
    )
    await REPAIRS[name](sweep)
    return frozenset(remembered.grace._since)


_BODIES: dict[str, Callable[[Message, dict[str, Any]], Any]] = {
    "started": lambda _, who: Started(**who),
    "joined": lambda _, who: Joined(**who),
    "heartbeat": lambda message, who: Heartbeat(status=message.status, **who),
    "status": lambda message, who: StatusUpdate(status=message.status, **who),
    "exited": lambda message, who: Exited(exit_code=message.code, **who),
}


async def _callback(number: int, message: Message) -> str:
    """One callback as serve answers it: what the bot makes of the answer."""
    speaker = Speaker(namespace=NAMESPACE, job_name=f"bot-{number}", pod_uid=f"pod-{message.pod}")
    body = _BODIES[message.kind](message, {"connection_id": connection_of(number), "event_id": message.event_id})
    try:
        response = await getattr(_CALLBACKS, message.kind)((speaker, body))
    except (MeetingOver, AnotherPodSpeaks):
        return "terminate"
    except UsherError as exc:
        return "retry" if status_of(exc) == 503 else "declined"
    return "leave" if '"leave"' in response.text else "ok"


_PROGRAMS: dict[str, Callable[..., Coroutine[Any, Any, Any]]] = {
    "ensure": _ensure,
    "job_seen": _job_seen,
    "sweep": _sweep,
    "callback": _callback,
}


async def _guarded(program: Program) -> Any:
    try:
        return await _PROGRAMS[program.name](*program.args)
    except Unavailable:
        # Left to the next sweep, as the handlers and the reconciler do.
        return None


@cache
def advance(program: Program) -> Ask | Done:
    """What a program asks next, or how it ended, after what it was answered so far."""
    coroutine = _guarded(program)
    try:
        asked: Ask = coroutine.send(None)
        for result in program.results:
            asked = coroutine.throw(_TROUBLES[result]()) if isinstance(result, Trouble) else coroutine.send(result)
    except StopIteration as stop:
        return Done(stop.value)
    finally:
        coroutine.close()
    return asked
