"""I7: terminal is final. Once somebody knows the end, it is the only one, for everybody and for ever."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.faults.history.evidence import TERMINAL, Evidence
from tests.faults.history.facts import Facts
from tests.faults.history.rules.rule import Rule


class _End(NamedTuple):
    status: str
    reason: str | None
    known_at: float


class Terminal(Rule):
    """No live status after an end, no second end, no other reason, and no row of the trail after the last."""

    name = "terminal is final"
    of = "ends that were seen"

    def __init__(self) -> None:
        super().__init__()
        self._ends: dict[int, _End] = {}
        self._found: list[str] = []

    def note(self) -> Callable[[Evidence], None]:
        """Compare with the end that is known."""
        return self._note

    def _note(self, evidence: Evidence) -> None:
        end = self._ends.get(evidence.meeting)
        if evidence.status not in TERMINAL:
            if end is not None and end.known_at < evidence.after:
                self._tell(evidence, end)
            return
        self.looked_at += 1
        if end is None:
            self._ends[evidence.meeting] = _End(evidence.status, evidence.reason, evidence.before)
        elif _differs(end, evidence):
            self._tell(evidence, end)
        elif end.reason is None:
            self._ends[evidence.meeting] = end._replace(reason=evidence.reason)

    def _tell(self, evidence: Evidence, end: _End) -> None:
        self._found.append(
            f"Meeting {evidence.meeting} had ended as {_words(end.status, end.reason)}, and {evidence.actor} was told"
            f" {_words(evidence.status, evidence.reason)}."
        )

    def findings(self, facts: Facts) -> Iterator[str]:
        """A sentence for each change after an end."""
        yield from self._found
        for meeting, steps in facts.trail.items():
            for step in steps:
                if step.origin in TERMINAL or _ended_before(step.seq, meeting, facts):
                    yield f"The trail of {facts.name(meeting)} goes on after its end: {step.origin} to {step.to}."


def _differs(end: _End, evidence: Evidence) -> bool:
    return end.status != evidence.status or (
        end.reason is not None and evidence.reason is not None and end.reason != evidence.reason
    )


def _ended_before(seq: int, meeting: int, facts: Facts) -> bool:
    return any(step.to in TERMINAL and step.seq < seq for step in facts.trail[meeting])


def _words(status: str, reason: str | None) -> str:
    return f"{status} ({reason})" if reason else status
