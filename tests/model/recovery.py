"""I3 and I4, from every state: when faults end and even every bot falls silent, all comes to rest.

Each state is taken on by itself: what runs in it is cut off, what is on its way is lost, its bots freeze, and then time
passes, Kubernetes acts and the reconciler sweeps. After a few sweeps every row must be over, with no Job and no pod.
"""

from tests.model import production, store
from tests.model.production import Ask, Done, advance
from tests.model.steps import Bounds, kubernetes
from tests.model.store import Broken
from tests.model.system import Meeting, Phase, Program, System

# Found out by looking: what needs more than these sweeps in a row is stuck, for nothing else will happen.
SWEEPS = 6


def check(system: System, bounds: Bounds, *, known: set[object]) -> None:
    """Raise Broken unless this state comes to rest. `known`: states that were seen to."""
    calm = _calmed(system)
    path: list[System] = []
    for _ in range(SWEEPS):
        if calm in known:
            break
        path.append(calm)
        calm = _after_a_sweep(calm, bounds)
        if _at_rest(calm):
            break
    else:
        raise Broken(f"I3/I4: it does not come to rest: {calm.meetings}")
    known.update(path)


def _calmed(system: System) -> System:
    meetings = tuple(_silenced(meeting) for meeting in system.meetings)
    return System(meetings=meetings)


def _silenced(meeting: Meeting) -> Meeting:
    pods = tuple(pod._replace(frozen=pod.phase is not Phase.DONE) for pod in meeting.pods if not pod.lost)
    return meeting._replace(mail=frozenset(), pods=pods)


def _after_a_sweep(system: System, bounds: Bounds) -> System:
    system = system._replace(meetings=tuple(_settled(_aged(meeting), bounds) for meeting in system.meetings))
    for name in production.SWEEPS:
        known = frozenset(seen for seen in system.memory if seen[0] == name)
        system, memory = _run(system, Program("sweep", (name, known)))
        system = system._replace(
            memory=frozenset(seen for seen in system.memory if seen[0] != name) | (memory or known)
        )
    return system


def _aged(meeting: Meeting) -> Meeting:
    return meeting._replace(row=meeting.row._replace(stale=True)) if meeting.row and meeting.row.live else meeting


def _settled(meeting: Meeting, bounds: Bounds) -> Meeting:
    """After all that Kubernetes does by itself; a pod that it makes now is silent too."""
    while moves := list(kubernetes(meeting, bounds)):
        meeting = _silenced(moves[0][1])
    return meeting


def _run(system: System, program: Program) -> tuple[System, frozenset[tuple[str, object]] | None]:
    asked: Ask | Done = advance(program)
    while not isinstance(asked, Done):
        system, answer = store.perform(system, asked.what, asked.args)[0]
        program = program._replace(results=(*program.results, answer))
        asked = advance(program)
    return system, asked.value


def _at_rest(system: System) -> bool:
    def over(meeting: Meeting) -> bool:
        ended = meeting.refused if meeting.row is None else not meeting.row.live
        gone = meeting.wish == "gone" and meeting.row is None
        return (ended or gone) and meeting.job != "running" and all(pod.phase is Phase.DONE for pod in meeting.pods)

    return all(map(over, system.meetings))
