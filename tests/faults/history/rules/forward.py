"""Status only moves forward: no answer is behind what was known before the question, and no trail goes back."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from math import inf

from tests.faults.history.evidence import LIVE, Evidence
from tests.faults.history.facts import Facts
from tests.faults.history.rules.rule import Rule

_NEVER = (inf,) * len(LIVE)


class Forward(Rule):
    """Among live statuses; what comes after an end is the rule `terminal`."""

    name = "status forward"
    of = "answers with a status"

    def __init__(self) -> None:
        super().__init__()
        # By meeting and rank of a status: when it was first known to have been reached.
        self._reached: dict[int, list[float]] = defaultdict(lambda: list(_NEVER))
        self._found: list[str] = []

    def note(self) -> Callable[[Evidence], None]:
        """Compare with what was known when it was asked."""
        return self._note

    def _note(self, evidence: Evidence) -> None:
        rank = LIVE.get(evidence.status)
        if rank is None:
            return
        self.looked_at += 1
        reached = self._reached[evidence.meeting]
        if evidence.before < reached[rank]:
            reached[rank] = evidence.before
        for higher in range(rank + 1, len(LIVE)):
            if reached[higher] < evidence.after:
                self._found.append(_sentence(evidence, _NAMES[higher], reached[higher]))
                return

    def findings(self, facts: Facts) -> Iterator[str]:
        """A sentence for each look back and each step back."""
        yield from self._found
        for meeting, steps in facts.trail.items():
            for step in steps:
                if step.origin in LIVE and step.to in LIVE and LIVE[step.to] < LIVE[step.origin]:
                    yield f"The trail of {facts.name(meeting)} goes back from {step.origin} to {step.to} ({step.seq})."


_NAMES = tuple(LIVE)


def _sentence(evidence: Evidence, higher: str, known_at: float) -> str:
    earlier = f"{evidence.after - known_at:.3f} s"
    return (
        f"{evidence.actor} was told that meeting {evidence.meeting} is {evidence.status},"
        f" and it was known to be {higher} {earlier} before the question."
    )
