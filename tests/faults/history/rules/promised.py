"""A 201 is kept: whoever asks for that meeting afterwards finds it, until it has ended."""

from collections.abc import Iterator, Mapping

from tests.faults.history.facts import US, Facts
from tests.faults.history.format import Operation, Outcome, What
from tests.faults.history.rules.rule import Rule, Takes

NOT_FOUND = 404


class Promised(Rule):
    """A GET that began after the 201 had come back may not answer 404 before the trail says that the meeting ended."""

    name = "201 then GET"
    of = "GETs of a meeting that was promised"

    def __init__(self) -> None:
        super().__init__()
        self._promised: dict[int, float] = {}
        self._missed: list[Operation] = []
        self._looked_up: set[int] = set()

    def takes(self) -> Mapping[str, Takes]:
        """Requests, and lookups by id."""
        return {What.ASK: self._ask, What.GET: self._get}

    @property
    def unlooked(self) -> int:
        """Promises that nobody put to the test."""
        return len(self._promised.keys() - self._looked_up)

    def _ask(self, operation: Operation) -> None:
        if operation.outcome == Outcome.OK and operation.got is not None:
            self._promised.setdefault(operation.got["meeting"], operation.ended)

    def _get(self, operation: Operation) -> None:
        meeting = operation.args["meeting"]
        if operation.got is None or operation.begun < self._promised.get(meeting, float("inf")):
            return
        if operation.outcome == Outcome.OK:
            self.looked_at += 1
            self._looked_up.add(meeting)
        elif operation.got.get("code") == NOT_FOUND:
            self._missed.append(operation)

    def findings(self, facts: Facts) -> Iterator[str]:
        """A sentence for each 404."""
        for operation in self._missed:
            meeting = operation.args["meeting"]
            if operation.ended_wall * US < facts.ended_at(meeting):
                since = operation.begun - self._promised[meeting]
                yield f"{facts.title(meeting)} was promised by a 201, and a GET {since:.3f} s later was 404."
