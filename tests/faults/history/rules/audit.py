"""I8: the audit trail equals what was observed: nothing in it that nobody did or saw, nothing seen that it has not."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from tests.faults.history.evidence import TERMINAL, Evidence
from tests.faults.history.facts import ADOPTION, US, Facts, Room, Step
from tests.faults.history.format import Operation, Outcome, Record, What
from tests.faults.history.rules.rule import Rule, Takes

# The clocks of the recorder and of the database are one machine's, read by two processes.
SLACK_US = 50_000
MOVING = frozenset({"started", "joined", "exited"})
BOT, API = "bot", "api"
GONE = 410


class Audit(Rule):
    """Both directions, and the chain itself: numbered without a gap, each row from where the one before it led."""

    name = "audit = observed"
    of = "rows of the trail"

    def __init__(self) -> None:
        super().__init__()
        self._applied: dict[int, list[tuple[str, str, float]]] = defaultdict(list)
        self._reported: set[int] = set()
        self._dismissed: set[str] = set()
        """The connections of bots that were told that their meeting is over."""
        self._created: dict[int, float] = {}
        self._asked: set[Room] = set()
        self._applied_for: set[Room] = set()
        # By meeting and status: when it was known first, by the time of day.
        self._seen: dict[int, dict[str, float]] = defaultdict(dict)

    def takes(self) -> Mapping[str, Takes]:
        """What clients and bots did."""
        return {What.ASK: self._ask, What.APPLY: self._apply, What.CALLBACK: self._callback}

    def note(self) -> Callable[[Evidence], None]:
        """What anybody saw."""
        return self._note

    def _ask(self, operation: Operation) -> None:
        self._asked.add(_room(operation))
        if operation.outcome == Outcome.OK and operation.got is not None and not operation.got["replayed"]:
            self._created.setdefault(operation.got["meeting"], operation.ended_wall)

    def _apply(self, operation: Operation) -> None:
        self._applied_for.add(_room(operation))

    def _callback(self, operation: Operation) -> None:
        args, got = operation.args, operation.got
        # Millions of heartbeats: their names would fill the memory, their hashes do not.
        self._reported.add(hash((args["connection"], args["event"])))
        if got is not None and got.get("code") == GONE:
            self._dismissed.add(args["connection"])
        if operation.outcome == Outcome.OK and got is not None and got["applied"] and _reports_change(args):
            self._applied[got["meeting"]].append((args["event"], got["status"], operation.ended_wall))

    def _note(self, evidence: Evidence) -> None:
        seen = self._seen[evidence.meeting]
        if evidence.status not in seen:
            seen[evidence.status] = evidence.wall

    def findings(self, facts: Facts) -> Iterator[str]:
        """A sentence for each row too many and each row too few."""
        for meeting, wall in self._created.items():
            if meeting not in facts.trail and wall < facts.read_wall:
                yield f"{facts.title(meeting)} was promised by a 201 and has no trail."
        for meeting, steps in facts.trail.items():
            self.looked_at += len(steps)
            yield from _broken_chain(facts.name(meeting), steps)
            yield from self._unobserved(meeting, steps, facts)
        yield from self._missing(facts)

    def _missing(self, facts: Facts) -> Iterator[str]:
        for meeting, applied in self._applied.items():
            recorded = {step.event: step.to for step in facts.trail.get(meeting, ())}
            for event, status, wall in applied:
                if recorded.get(event) != status and wall < facts.read_wall:
                    yield f"The trail of {facts.name(meeting)} lacks {status}, which the bot's event {event} was told."
        for meeting, seen in self._seen.items():
            yield from self._unrecorded(meeting, seen, facts)

    def _unrecorded(self, meeting: int, seen: dict[str, float], facts: Facts) -> Iterator[str]:
        written = {step.to: step.at for step in reversed(facts.trail.get(meeting, []))}
        for status, wall in seen.items():
            if wall > facts.read_wall:
                continue
            if status not in written:
                yield f"{facts.title(meeting)} was seen {status}, and its trail never says so."
            elif written[status] > wall * US + SLACK_US:
                early = (written[status] - wall * US) / US
                yield f"{facts.title(meeting)} was seen {status} {early:.3f} s before its trail says so."

    def _unobserved(self, meeting: int, steps: Sequence[Step], facts: Facts) -> Iterator[str]:
        for step in steps:
            if not self._observed(meeting, step, facts):
                yield (
                    f"The trail of {facts.name(meeting)} says {step.origin} to {step.to} ({step.source},"
                    f" {step.reason}), and nobody did or saw it."
                )

    def _observed(self, meeting: int, step: Step, facts: Facts) -> bool:
        if step.source == ADOPTION or (step.origin is None and meeting in facts.made):
            return True
        if step.source == BOT:
            return hash((facts.connections.get(meeting), step.event)) in self._reported
        if step.origin is None:
            return facts.rooms[meeting] in (self._asked if step.source == API else self._applied_for)
        dismissed = step.to in TERMINAL and facts.connections.get(meeting) in self._dismissed
        return dismissed or step.to in self._seen.get(meeting, ())


def _reports_change(args: Record) -> bool:
    """A stage is no change of status; a heartbeat is answered `applied` whether it repaired one or not."""
    return args["kind"] in MOVING or (args["kind"] == "status" and args.get("status") is not None)


def _room(operation: Operation) -> Room:
    args = operation.args
    return Room(args["user"], args["platform"], args["native_id"])


def _broken_chain(name: str, steps: Sequence[Step]) -> Iterator[str]:
    before = None
    for number, step in enumerate(steps, start=1):
        if step.seq != number or step.origin != before:
            yield f"The trail of {name} is broken at {step.seq}: {step.origin} to {step.to} after {before}."
            return
        before = step.to
