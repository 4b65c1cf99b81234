"""What may happen next in a state: a step of a program, of Kubernetes, of a bot, of the network, of time; or a fault.

Every step that is possible is offered, so the explorer goes through every order of all of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.model import store
from tests.model.production import SWEEPS, Done, advance
from tests.model.store import Broken
from tests.model.system import Budget, Meeting, Message, Phase, Pod, Program, System
from usher_models.states import Status

Step = tuple[str, System]

NO_FAULTS = Budget()


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How much there is: BotRequests, pods and callbacks under way of each, programs at once, faults in one history."""

    meetings: int = 1
    pods: int = 1
    mail: int = 2
    operators: int = 1
    callbacks: int = 1
    sweeps: tuple[str, ...] = SWEEPS
    faults: Budget = NO_FAULTS

    def beginning(self) -> System:
        """BotRequests have been created, and nothing has happened yet."""
        return System(meetings=(Meeting(),) * self.meetings, budget=self.faults)


def steps(system: System, bounds: Bounds) -> Iterator[Step]:
    """Every step that is possible, with a name for people. Raises Broken when one breaks a promise."""
    for at, program in enumerate(system.programs):
        others = system.programs[:at] + system.programs[at + 1 :]
        yield from _go_on(system.with_programs(*others), program)
    yield from _begin(system, bounds)
    for number, meeting in enumerate(system.meetings, 1):
        for name, after in _of_meeting(meeting, bounds):
            yield f"{name} {number}", system.with_meeting(number, after)
        yield from _of_mail(system, number, bounds)
        yield from _of_faults(system, number, bounds)
    crashed = system.spend("crashes")
    if crashed and system.programs:
        callbacks = [program for program in system.programs if program.is_callback]
        operators = [program for program in system.programs if not program.is_callback]
        if operators:
            yield "operator crashes", crashed.with_programs(*callbacks)._replace(memory=frozenset())
        if callbacks:
            yield "serve crashes", crashed.with_programs(*operators)


def _go_on(system: System, program: Program) -> Iterator[Step]:
    """The program's next question is answered, or answered with trouble before or after its effect."""
    asked = advance(program)
    if isinstance(asked, Done):
        return
    label = f"{program.name}{program.args}: {asked.what}{asked.args}"
    answers = store.perform(system, asked.what, asked.args)
    for after, answer in answers:
        yield label, _answered(after, program, answer)
    if asked.what == "publish":
        return
    troubled = system.spend("troubles")
    if troubled:
        yield f"{label} is not heard", _answered(troubled, program, asked.trouble)
        for after, _ in store.perform(troubled, asked.what, asked.args):
            if after != troubled:
                yield f"{label} loses its reply", _answered(after, program, asked.trouble)


def _answered(system: System, program: Program, answer: object) -> System:
    program = program._replace(results=(*program.results, answer))
    asked = advance(program)
    if not isinstance(asked, Done):
        return system.with_programs(*system.programs, program)
    if program.name == "sweep":
        return _remember(system, program, asked.value)
    if program.is_callback:
        return hear(system, *program.args, answer=str(asked.value))
    return system


def _remember(system: System, program: Program, memory: frozenset[tuple[str, object]] | None) -> System:
    """The reconciler remembers what this mode saw amiss; one that was cut off remembers what it did before."""
    if memory is None:
        return system
    mode = str(program.args[0])
    return system._replace(memory=frozenset(seen for seen in system.memory if seen[0] != mode) | memory)


def hear(system: System, number: int, message: Message, *, answer: str) -> System:
    """The bot hears what became of its callback; one that is gone, or got its answer before, does not care."""
    meeting = system.meeting(number)
    pod = meeting.pod(message.pod)
    if answer in ("ok", "leave") and meeting.row and meeting.row.pod != message.pod:
        raise Broken(f"I2: pod {message.pod} was heard, and pod {meeting.row.pod} speaks for the meeting")
    if pod is None or not pod.runs:
        return system
    if message.kind == "exited" and answer != "retry":
        pod = pod._replace(phase=Phase.DONE)
    elif answer == "terminate":
        pod = pod._replace(phase=Phase.DONE, code=4)
    elif message.kind == "started" and answer in ("ok", "leave") and pod.phase is Phase.BOOTED:
        pod = pod._replace(phase=Phase.STARTING)
    if answer == "leave":
        pod = pod._replace(told=True)
    return system.with_meeting(number, meeting.with_pod(pod))


def _begin(system: System, bounds: Bounds) -> Iterator[Step]:
    """A watch event or a sweep starts a program; events come late, twice or never."""
    if sum(not program.is_callback for program in system.programs) >= bounds.operators:
        return
    for number, meeting in enumerate(system.meetings, 1):
        yield from _start(system, "ensure", number, meeting.wish, meeting.shown)
        if meeting.job in ("complete", "failed"):
            yield from _start(system, "job_seen", number, meeting.job)
    for name in bounds.sweeps:
        yield from _start(system, "sweep", name, frozenset(seen for seen in system.memory if seen[0] == name))


def _start(system: System, name: str, *args: object) -> Iterator[Step]:
    """A program begins with its first question: when it was begun makes no difference to anybody."""
    yield from _go_on(system, Program(name, args))


def _of_meeting(meeting: Meeting, bounds: Bounds) -> Iterator[tuple[str, Meeting]]:
    yield from kubernetes(meeting, bounds)
    for pod in meeting.pods:
        yield from (step for step in _of_bot(meeting, pod) if len(step[1].mail) <= bounds.mail)
    if meeting.wish == "run":
        yield "user asks to leave", meeting._replace(wish="leave")
    if meeting.row and meeting.row.live and not meeting.row.stale:
        yield "time passes", meeting._replace(row=meeting.row._replace(stale=True))


def kubernetes(meeting: Meeting, bounds: Bounds) -> Iterator[tuple[str, Meeting]]:
    """The Job controller, the kubelet and the garbage collector."""
    listed = [pod for pod in meeting.pods if not pod.lost]
    if meeting.job == "running" and not listed and len(meeting.pods) < bounds.pods:
        yield "pod is made", meeting._replace(pods=(*meeting.pods, Pod(len(meeting.pods) + 1)))
    if meeting.job == "running" and listed and all(pod.phase is Phase.DONE for pod in listed):
        outcome = "failed" if any(pod.code for pod in listed) else "complete"
        yield "job ends", meeting._replace(job=outcome)
    if meeting.job != "none" and meeting.wish == "gone":
        yield "job is collected", store.delete_job(meeting)
    for pod in listed:
        if pod.phase is Phase.DONE and meeting.job == "none":
            yield "pod is removed", meeting._replace(pods=tuple(each for each in meeting.pods if each is not pod))
        elif pod.phase is not Phase.DONE and meeting.job == "none":
            killed = pod._replace(phase=Phase.DONE, code=137, frozen=False)
            yield "pod is killed", meeting.with_pod(killed)


def _of_bot(meeting: Meeting, pod: Pod) -> Iterator[tuple[str, Meeting]]:
    """A bot's course. What it has said and not heard an answer to, it says again."""
    if not pod.runs:
        return
    name = f"bot {pod.number}"

    def go(phase: Phase, *said: Message, code: int = 0) -> Meeting:
        after = meeting.with_pod(pod._replace(phase=phase, code=code or pod.code))
        return after._replace(mail=after.mail | set(said))

    if pod.phase is Phase.PENDING:
        yield f"{name} boots", go(Phase.BOOTED)
    elif pod.phase is Phase.BOOTED:
        yield f"{name} says started", go(Phase.BOOTED, Message("started", pod.number))
    elif pod.phase is Phase.ENDING:
        yield f"{name} says exited", go(Phase.ENDING, Message("exited", pod.number, code=pod.code))
        yield f"{name} ends unheard", go(Phase.DONE)
    else:
        yield from _of_visit(pod, go, name=name)


def _of_visit(pod: Pod, go: object, *, name: str) -> Iterator[tuple[str, Meeting]]:
    assert callable(go)
    views = {Phase.STARTING: Status.STARTING, Phase.ACTIVE: Status.ACTIVE, Phase.STOPPING: Status.STOPPING}
    yield f"{name} beats", go(pod.phase, Message("heartbeat", pod.number, status=views[pod.phase]))
    if pod.phase is Phase.STARTING and not pod.told:
        yield f"{name} joins", go(Phase.ACTIVE, Message("joined", pod.number))
        yield f"{name} is not let in", go(Phase.ENDING, code=2)
    if pod.phase is Phase.ACTIVE and not pod.told:
        yield f"{name}'s meeting ends", go(Phase.ENDING)
    if pod.phase is Phase.STOPPING:
        yield f"{name} has left", go(Phase.ENDING)
    else:
        # Because it was told to, or by a limit of its own.
        yield f"{name} leaves", go(Phase.STOPPING, Message("status", pod.number, status=Status.STOPPING))


def _of_mail(system: System, number: int, bounds: Bounds) -> Iterator[Step]:
    """The network: a callback arrives now, or never, or arrives and comes again."""
    meeting = system.meeting(number)
    busy = sum(program.is_callback for program in system.programs) >= bounds.callbacks
    copied = system.spend("copies")
    for message in meeting.mail:
        without = system.with_meeting(number, meeting._replace(mail=meeting.mail - {message}))
        yield f"lost {message.event_id}", without
        if busy:
            continue
        yield from _start(without, "callback", number, message)
        if copied:
            yield from _start(copied, "callback", number, message)


def _of_faults(system: System, number: int, bounds: Bounds) -> Iterator[Step]:
    meeting = system.meeting(number)
    if meeting.wish != "gone" and (deleted := system.spend("deletions")):
        yield f"request deleted {number}", deleted.with_meeting(number, meeting._replace(wish="gone"))
    for pod in meeting.pods:
        if not pod.runs or pod.phase is Phase.PENDING:
            continue
        if died := system.spend("deaths"):
            dead = pod._replace(phase=Phase.DONE, code=1)
            yield f"bot {pod.number} crashes", died.with_meeting(number, meeting.with_pod(dead))
        if froze := system.spend("freezes"):
            frozen = pod._replace(frozen=True)
            yield f"bot {pod.number} freezes", froze.with_meeting(number, meeting.with_pod(frozen))
        if not pod.lost and len(meeting.pods) < bounds.pods and (split := system.spend("partitions")):
            lost = pod._replace(lost=True)
            yield f"node of bot {pod.number} is lost", split.with_meeting(number, meeting.with_pod(lost))
