"""How Postgres, the API server and Redis answer, one atomic step each.

What is decided here is decided by the tables of production (`states.judge`, `states.legal_origins`), and what is not
is held to the SQL by `tests/integration/db/test_model.py`, which asks both the same of every row there can be.
"""

from collections.abc import Callable
from typing import Any

from tests.model.system import Meeting, Phase, Row, System
from usher_models import states
from usher_models.states import TERMINAL, Judgement, Source, Status

CAP = 1


class Broken(Exception):
    """A promise is broken in this step; the message says which."""


Answers = list[tuple[System, Any]]


def perform(system: System, what: str, args: tuple[Any, ...]) -> Answers:
    """Every way in which this question may be answered: the state after it, and the answer."""
    return _ACTS[what](system, *args)


def moved(row: Row, target: Status, source: Source, reason: str, *, pod: int = 0, event: str | None = None) -> Row:
    """The row after a legal move: `_MOVE` of `usher_models.db.transitions`."""
    if not reason:
        raise Broken("I5: a move has no reason")
    speaker = row.pod or pod
    if target in TERMINAL:
        return Row(status=target, pod=speaker, ended_by=source)
    return row._replace(
        status=target,
        pod=speaker,
        joined=row.joined or target is Status.ACTIVE,
        stale=False,
        events=row.events | {event} if event else row.events,
    )


def report(row: Row, target: Status, pod: int, event: str | None, reason: str) -> tuple[Judgement, Row]:
    """What a bot's report does to a row: `transitions.report`."""
    judgement = states.judge(
        target,
        row.status,
        fenced=row.pod not in (0, pod),
        known=event in row.events,
        ended_by_bot=row.ended_by is Source.BOT,
    )
    if judgement is Judgement.MOVED:
        return judgement, moved(row, target, Source.BOT, reason, pod=pod, event=event)
    if judgement is Judgement.LATE and event:
        return judgement, row._replace(events=row.events | {event})
    return judgement, row


def beat(row: Row, pod: int) -> tuple[Judgement, Row]:
    """What a heartbeat does to a row: `heartbeats.beat`."""
    if not row.live:
        return Judgement.OVER, row
    if row.pod not in (0, pod):
        return Judgement.ANOTHER_POD_SPEAKS, row
    return Judgement.MOVED, row._replace(pod=pod, stale=row.stale and row.status is not Status.ACTIVE)


def beat_many(row: Row, pod: int) -> Row | None:
    """What a batch does to the row of one of its senders; None when it does not take it: `heartbeats.beat_many`."""
    judgement, heard = beat(row, pod)
    return heard if judgement is Judgement.MOVED and row.pod == pod else None


def close(row: Row, target: Status, source: Source, reason: str, *, status: Status | None, stale: bool) -> Row | None:
    """The row ended from outside, or None when the guard spares it: `transitions.close_many`."""
    if row.status not in states.legal_origins(target, source):
        return None
    if (status is not None and row.status is not status) or (stale and not row.stale):
        return None
    return moved(row, target, source, reason)


def end_reserved(row: Row, target: Status, source: Source, reason: str) -> Row | None:
    """A reservation ended by the operator, or None when it is none any more: `transitions.move_reserved`."""
    return moved(row, target, source, reason) if row.status in states.legal_origins(target, source) else None


def want_leave(row: Row) -> Row | None:
    """The row that wants its bot to leave, or None when it did already or is over: `desires.want_leave`."""
    return row._replace(leave=True) if row.live and not row.leave else None


def healthy(meeting: Meeting) -> bool:
    """Whether a bot is well, wanted, and the one that speaks: nothing but silence may end it."""
    row = meeting.row
    speaker = meeting.pod(row.pod) if row else None
    return (
        meeting.wish == "run"
        and meeting.job == "running"
        and row is not None
        and not row.leave
        and speaker is not None
        and speaker.phase in (Phase.STARTING, Phase.ACTIVE)
        and not (speaker.frozen or speaker.told or speaker.lost)
    )


def _row(system: System, number: int) -> Row:
    row = system.meeting(number).row
    assert row is not None
    return row


def _seen(row: Row) -> Row:
    """A row as far as a program that reads it can be told by it; the rest would only part states that are alike."""
    return row._replace(pod=0, stale=False, events=frozenset(), ended_by=None)


def _read(system: System, number: int) -> Answers:
    row = system.meeting(number).row
    return [(system, row and _seen(row))]


def _rows(system: System) -> Answers:
    return [(system, tuple((n, _seen(each.row)) for n, each in enumerate(system.meetings, 1) if each.row))]


def _stale(system: System, status: Status) -> Answers:
    rows = ((n, each.row) for n, each in enumerate(system.meetings, 1) if each.row)
    return [(system, tuple((n, _seen(row)) for n, row in rows if row.status is status and row.stale))]


def _reserve(system: System, number: int, generation: int) -> Answers:
    row = system.meeting(number).row
    if row:
        return [(system, _seen(row))]
    if sum(each.row is not None and each.row.live for each in system.meetings) >= CAP:
        return [(system, None)]
    return [(system.with_row(number, Row(generation=generation)), Row(generation=generation))]


def _report(system: System, number: int, target: Status, pod: int, event: str | None, reason: str) -> Answers:
    judgement, row = report(_row(system, number), target, pod, event, reason)
    return [(system.with_row(number, row), (judgement, _seen(row)))]


def _beat(system: System, number: int, pod: int) -> Answers:
    judgement, row = beat(_row(system, number), pod)
    return [(system.with_row(number, row), (judgement, _seen(row)))]


def _beat_many(system: System, number: int, pod: int) -> Answers:
    row = beat_many(_row(system, number), pod)
    passed_over = (system, None)
    # A batch goes around a row that somebody holds, whoever's it is.
    return [(system.with_row(number, row), _seen(row)), passed_over] if row else [passed_over]


def _end_reserved(system: System, number: int, target: Status, source: Source, reason: str) -> Answers:
    row = end_reserved(_row(system, number), target, source, reason)
    if row and healthy(system.meeting(number)):
        raise Broken(f"I6: a healthy bot's reservation was ended: {reason}")
    return [(system.with_row(number, row) if row else system, row is not None)]


def _close(
    system: System, wanted: tuple[tuple[int, str], ...], target: Status, source: Source, status: Any, stale: bool
) -> Answers:
    ended = []
    for number, reason in wanted:
        before = _row(system, number)
        row = close(before, target, source, reason, status=status, stale=stale)
        if row is None:
            continue
        if healthy(system.meeting(number)) and not before.stale:
            raise Broken(f"I6: a healthy bot was ended: {reason}")
        if target is Status.COMPLETED and not before.joined:
            raise Broken(f"I5: a bot that never joined was completed: {reason}")
        system = system.with_row(number, row)
        ended.append((number, before.status))
    return [(system, tuple(ended))]


def _want_leave(system: System, numbers: tuple[int, ...]) -> Answers:
    asked = []
    for number in numbers:
        row = want_leave(_row(system, number))
        if row:
            system = system.with_row(number, row)
            asked.append(number)
    return [(system, tuple(asked))]


def _mark_job(system: System, number: int) -> Answers:
    row = _row(system, number)
    return [(system.with_row(number, row._replace(job_created=row.live)), None)]


def _note_request(system: System, number: int, generation: int) -> Answers:
    row = _row(system, number)
    newest = max(row.generation, generation) if row.live else row.generation
    return [(system.with_row(number, row._replace(generation=newest)), None)]


def _requests(system: System) -> Answers:
    listed = tuple((n, each.wish, each.shown) for n, each in enumerate(system.meetings, 1) if each.wish != "gone")
    return [(system, listed)]


def _jobs(system: System) -> Answers:
    return [(system, tuple((n, each.job) for n, each in enumerate(system.meetings, 1) if each.job != "none"))]


def _pods(system: System) -> Answers:
    listed = ((n, pod) for n, each in enumerate(system.meetings, 1) for pod in each.pods if not pod.lost)
    # What the API shows of a running pod does not depend on how far its bot is.
    shown = ((n, pod if pod.phase is Phase.DONE else pod._replace(phase=Phase.PENDING)) for n, pod in listed)
    return [(system, tuple((n, pod._replace(told=False, frozen=False)) for n, pod in shown))]


def _create_job(system: System, number: int) -> Answers:
    meeting = system.meeting(number)
    if meeting.job != "none":
        return [(system, False)]
    return [(system.with_meeting(number, meeting._replace(job="running")), True)]


def delete_job(meeting: Meeting) -> Meeting:
    """The Job is gone, and its pods have got SIGTERM."""
    pods = tuple(pod if pod.lost else pod._replace(told=True) for pod in meeting.pods)
    return meeting._replace(job="none", pods=pods)


def _delete_job(system: System, number: int) -> Answers:
    meeting = system.meeting(number)
    if meeting.row and meeting.row.live and healthy(meeting):
        raise Broken("I6: the Job of a healthy bot was deleted")
    return [(system.with_meeting(number, delete_job(meeting)), meeting.job != "none")]


def _refuse(system: System, number: int) -> Answers:
    meeting = system.meeting(number)
    return [(system.with_meeting(number, meeting._replace(refused=True)), meeting.wish != "gone")]


def _publish(system: System, number: int) -> Answers:
    """Redis may lose it, or bring it to any pod that listens."""
    answers: Answers = [(system, None)]
    meeting = system.meeting(number)
    for pod in meeting.pods:
        if pod.runs and not pod.told and pod.phase > Phase.PENDING:
            answers.append((system.with_meeting(number, meeting.with_pod(pod._replace(told=True))), None))
    return answers


_ACTS: dict[str, Callable[..., Answers]] = {
    "row": _read,
    "rows": _rows,
    "stale": _stale,
    "reserve": _reserve,
    "report": _report,
    "beat": _beat,
    "beat_many": _beat_many,
    "end_reserved": _end_reserved,
    "close": _close,
    "want_leave": _want_leave,
    "mark_job": _mark_job,
    "note_request": _note_request,
    "requests": _requests,
    "jobs": _jobs,
    "pods": _pods,
    "job": lambda system, number: [(system, system.meeting(number).job)],
    "create_job": _create_job,
    "delete_job": _delete_job,
    "refuse": _refuse,
    "publish": _publish,
}
