"""Webhooks equal the audit trail: each change is announced, once by id, and with the same bytes however often."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tests.faults.history.facts import US, Facts, Step
from tests.faults.history.format import Operation, Outcome, What
from tests.faults.history.rules.rule import Rule, Takes

# Event, and the status whose change it announces; None for each.
ANNOUNCES: dict[str, str | None] = {
    "meeting.status_change": None,
    "meeting.started": "active",
    "meeting.completed": "completed",
    "bot.failed": "failed",
}


class Change(NamedTuple):
    """What an id stands for."""

    meeting: int
    seq: int
    kind: str


class Told(NamedTuple):
    """A delivery's bytes, and what they say of the change."""

    sha256: str
    origin: str | None
    to: str
    source: str
    reason: str


class Webhooks(Rule):
    """Deliveries may be late, repeated and in any order. None may be missing when the history ends."""

    name = "webhooks = audit"
    of = "deliveries"

    def __init__(self) -> None:
        super().__init__()
        self._changes: dict[str, Change] = {}
        self._ids: dict[Change, str] = {}
        self._told: dict[str, Told] = {}
        self._first_at: dict[str, float] = {}
        self._found: list[str] = []
        # By user: the events that were chosen, and since when for certain, by the time of day.
        self._subscribed: dict[int, tuple[frozenset[str], float]] = {}

    def takes(self) -> Mapping[str, Takes]:
        """Subscriptions and deliveries."""
        return {What.SUBSCRIBE: self._subscribe, What.WEBHOOK: self._delivery}

    def _subscribe(self, operation: Operation) -> None:
        if operation.outcome == Outcome.OK:
            args = operation.args
            self._subscribed[args["user"]] = (frozenset(args["events"]), operation.ended_wall)

    def _delivery(self, operation: Operation) -> None:
        got: dict[str, Any] = operation.got or {}
        self.looked_at += 1
        event, change = got["event"], Change(got["meeting"], got["seq"], got["type"])
        self._first_at.setdefault(event, operation.ended_wall)
        told = Told(got["sha256"], got["from"], got["to"], got["source"], got["reason"])
        if (first := self._changes.setdefault(event, change)) != change:
            self._found.append(f"The webhook id {event} stands for two changes: {_words(first)} and {_words(change)}.")
        elif self._told.setdefault(event, told) != told:
            self._found.append(f"The webhook {event} was delivered again with other bytes.")
        if (known := self._ids.setdefault(change, event)) != event:
            self._found.append(f"Two webhook ids, {known} and {event}, stand for {_words(change)}.")

    def findings(self, facts: Facts) -> Iterator[str]:
        """A sentence for each id with two meanings, each change without its webhook and each webhook without one."""
        yield from self._found
        steps = {(meeting, step.seq): step for meeting, trail in facts.trail.items() for step in trail}
        for change, event in self._ids.items():
            step = steps.get((change.meeting, change.seq))
            if step is None and self._first_at[event] > facts.read_wall:
                continue
            if step is None or not _announces(change.kind, step):
                yield f"The webhook {event} announces {_words(change)}, which is not in the trail."
            elif self._told[event][1:] != (step.origin, step.to, step.source, step.reason):
                yield f"The webhook {event} says something else of {_words(change)} than the trail."
        yield from self._skipped(facts)

    def _skipped(self, facts: Facts) -> Iterator[str]:
        for meeting, steps in facts.trail.items():
            kinds, since = self._subscribed.get(facts.rooms[meeting].user, (frozenset(), 0.0))
            for step in steps:
                for kind in kinds if step.at > since * US else ():
                    change = Change(meeting, step.seq, kind)
                    if _announces(kind, step) and change not in self._ids:
                        yield f"No webhook announced {_words(change)}: {step.origin} to {step.to}."


def _announces(kind: str, step: Step) -> bool:
    return step.moves and ANNOUNCES.get(kind, "") in (None, step.to)


def _words(change: Change) -> str:
    return f"change {change.seq} of meeting {change.meeting} ({change.kind})"
