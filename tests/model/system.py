"""Everything that Usher's promises depend on, as one hashable value: a state is a node of the explored graph.

Time is not a number here: `Row.stale` says that the limit of the row's status is over, and a step may set it at any
moment, so every length of every delay is covered. What a state has left of faults is its `Budget`.
"""

from enum import IntEnum
from typing import Any, NamedTuple

from usher_models.states import TERMINAL, Source, Status


class Phase(IntEnum):
    """Where a bot's process is: it has said `started` (BOOTED), was accepted, … and says its last word (ENDING)."""

    PENDING = 0
    BOOTED = 1
    STARTING = 2
    ACTIVE = 3
    STOPPING = 4
    ENDING = 5
    DONE = 6


class Pod(NamedTuple):
    """One pod and the process in it. `told`: it was asked to leave, by a command or SIGTERM. `lost`: the API server has
    given it up with its node, and the process may run on."""

    number: int
    phase: Phase = Phase.PENDING
    code: int = 0
    told: bool = False
    frozen: bool = False
    lost: bool = False

    @property
    def runs(self) -> bool:
        return not self.frozen and self.phase is not Phase.DONE


class Message(NamedTuple):
    """A callback on its way: it may be lost, come late, come twice, and overtake another."""

    kind: str
    pod: int
    status: Status | None = None
    code: int = 0

    @property
    def event_id(self) -> str:
        return f"{self.kind}-{self.pod}-{self.status or self.code}"


class Row(NamedTuple):
    """The rows of one meeting in `meetings`, `usher.bots` and `usher.heartbeats`. Pod 0 is none.

    Of a row that is over only what still decides anything is kept, so that states that will never differ are one.
    """

    status: Status = Status.RESERVED
    pod: int = 0
    leave: bool = False
    generation: int = 1
    job_created: bool = False
    joined: bool = False
    stale: bool = False
    events: frozenset[str] = frozenset()
    ended_by: Source | None = None

    @property
    def live(self) -> bool:
        return self.status not in TERMINAL


class Meeting(NamedTuple):
    """One BotRequest and what came of it. `wish`: run, leave or gone; `job`: none, running, complete or failed."""

    wish: str = "run"
    refused: bool = False
    row: Row | None = None
    job: str = "none"
    pods: tuple[Pod, ...] = ()
    mail: frozenset[Message] = frozenset()

    @property
    def shown(self) -> str:
        """What its BotRequest shows: refused, its row once there is a Job, or nothing yet."""
        if self.refused:
            return "refused"
        return str(self.row.status) if self.row and self.row.job_created else ""

    def pod(self, number: int) -> Pod | None:
        return next((pod for pod in self.pods if pod.number == number), None)

    def with_pod(self, pod: Pod) -> "Meeting":
        pods = tuple(pod if each.number == pod.number else each for each in self.pods)
        return self._replace(pods=pods)


class Program(NamedTuple):
    """A piece of production code that runs: what it is, and what it was answered so far."""

    name: str
    args: tuple[Any, ...] = ()
    results: tuple[Any, ...] = ()

    @property
    def is_callback(self) -> bool:
        return self.name == "callback"


class Budget(NamedTuple):
    """How many of each fault may still happen."""

    copies: int = 0
    troubles: int = 0
    crashes: int = 0
    deaths: int = 0
    freezes: int = 0
    partitions: int = 0
    deletions: int = 0


class System(NamedTuple):
    """The whole. `memory`: what the reconciler saw amiss in its last sweep, as (mode, thing)."""

    meetings: tuple[Meeting, ...]
    programs: tuple[Program, ...] = ()
    memory: frozenset[tuple[str, object]] = frozenset()
    budget: Budget = Budget()

    def meeting(self, number: int) -> Meeting:
        return self.meetings[number - 1]

    def with_meeting(self, number: int, meeting: Meeting) -> "System":
        return self._replace(meetings=(*self.meetings[: number - 1], meeting, *self.meetings[number:]))

    def with_row(self, number: int, row: Row) -> "System":
        return self.with_meeting(number, self.meeting(number)._replace(row=row))

    def with_programs(self, *programs: Program) -> "System":
        # An order that is the same for the same programs, so that mirrored states are one.
        return self._replace(programs=tuple(sorted(programs, key=hash)))

    def spend(self, fault: str) -> "System | None":
        """The same with one fault of that kind less; None when none is left."""
        left = getattr(self.budget, fault)
        return self._replace(budget=self.budget._replace(**{fault: left - 1})) if left else None
