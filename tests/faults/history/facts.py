"""What the rules have in common: whose a meeting is, when it certainly held a slot, and the audit trail."""

from collections import defaultdict
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

from tests.faults.history.evidence import LIVE, TERMINAL, Evidence
from tests.faults.history.format import Operation, Outcome, What

US = 1_000_000
ADOPTION = "adoption"


class Room(NamedTuple):
    """The meeting on its platform, and the user who sends a bot there."""

    user: int
    platform: str
    native_id: str


class Step(NamedTuple):
    """One row of the audit trail; `at` is the database's clock in microseconds."""

    seq: int
    origin: str | None
    to: str
    source: str
    reason: str
    event: str | None
    at: int

    @property
    def moves(self) -> bool:
        """False for a late report that is only noted."""
        return self.origin != self.to


class Held(NamedTuple):
    """A meeting that held its slot from `begin` to `end` for certain."""

    begin: float
    end: float
    meeting: int
    adopted: bool = False


@dataclass
class Facts:
    """Grows with each operation; whole when the last one was taken."""

    caps: dict[int, int] = field(default_factory=dict)
    """The highest that a user ever had: to lower it stops no bot."""
    rooms: dict[int, Room] = field(default_factory=dict)
    trail: dict[int, list[Step]] = field(default_factory=lambda: defaultdict(list))
    connections: dict[int, str] = field(default_factory=dict)
    adopted: set[int] = field(default_factory=set)
    made: set[int] = field(default_factory=set)
    """Meetings that were there before anybody looked: how they came to be is nobody's to tell."""
    read_wall: float = -inf
    """From when on the trail was read: it has everything that was seen before."""
    _live: dict[int, tuple[float, float]] = field(default_factory=dict)

    def take(self, operation: Operation) -> None:
        """Learn whose a meeting is, and what the trail says."""
        got, what = operation.got, operation.what
        if got is None or operation.outcome != Outcome.OK:
            return
        if what == What.USER:
            self.caps[got["user"]] = max(got["cap"], self.caps.get(got["user"], 0))
        elif what == What.MADE:
            self.made.add(got["meeting"])
        elif what == What.ASK:
            args = operation.args
            self.rooms.setdefault(got["meeting"], Room(args["user"], args["platform"], args["native_id"]))
        elif what == What.READ_TRAIL:
            self.read_wall = operation.begun_wall
        elif what == What.AUDIT:
            self.connections[got["meeting"]] = got["connection"]
            self._step(got["meeting"], Room(got["user"], got["platform"], got["native_id"]), got)

    def _step(self, meeting: int, room: Room, got: dict[str, object]) -> None:
        self.rooms.setdefault(meeting, room)
        names = ("seq", "from", "to", "source", "reason", "event", "at")
        step = Step(*(got[name] for name in names))  # type: ignore[arg-type]
        self.trail[meeting].append(step)
        if step.source == ADOPTION and step.origin is None:
            self.adopted.add(meeting)

    def settle(self) -> None:
        """Everything was taken: put each trail in its order."""
        for steps in self.trail.values():
            steps.sort(key=lambda step: step.seq)

    def note(self, evidence: Evidence) -> None:
        """Widen the span in which a meeting was certainly live: it was so at a moment within each piece of evidence."""
        if evidence.status not in LIVE:
            return
        begin, end = self._live.get(evidence.meeting, (evidence.before, evidence.after))
        self._live[evidence.meeting] = (min(begin, evidence.before), max(end, evidence.after))

    def held(self) -> list[Held]:
        """The spans that observers can vouch for. What was adopted had lost its row meanwhile, so it has none."""
        return [
            Held(begin, end, meeting)
            for meeting, (begin, end) in self._live.items()
            if begin < end and meeting not in self.adopted
        ]

    def recorded(self) -> list[Held]:
        """The spans of the audit trail, in microseconds of the database's clock, one that goes on without an end."""
        return [
            Held(steps[0].at, self.ended_at(meeting), meeting, adopted=meeting in self.adopted)
            for meeting, steps in self.trail.items()
        ]

    def ended_at(self, meeting: int) -> float:
        """When the trail says that a meeting ended; infinite if it does not."""
        return min((step.at for step in self.trail.get(meeting, ()) if step.to in TERMINAL), default=inf)

    def name(self, meeting: int) -> str:
        """A meeting as sentences call it."""
        room = self.rooms.get(meeting)
        return f"meeting {meeting} ({room.native_id})" if room else f"meeting {meeting}"

    def title(self, meeting: int) -> str:
        """The same at the begin of a sentence."""
        return self.name(meeting).replace("m", "M", 1)
