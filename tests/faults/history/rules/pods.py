"""I2: a meeting has one pod at a time, and one pod at a time speaks for it.

Pods are ordered by their resource versions, which are the API server's order of writes: a watch may be late, but
it does not invent. Speaking is ordered by the recorder's clock.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from tests.faults.history.facts import Facts, Held
from tests.faults.history.format import Operation, Outcome, What
from tests.faults.history.rules.overlaps import excesses
from tests.faults.history.rules.rule import Rule, Takes

# By meeting and then by pod.
_Spans = dict[int, dict[str, tuple[float, float]]]


class Pods(Rule):
    """A pod is there from its first version until the first that shows it ending, or until the last, if none does."""

    name = "one pod"
    of = "pods"

    def __init__(self) -> None:
        super().__init__()
        self._there: _Spans = defaultdict(dict)
        self._spoke: _Spans = defaultdict(dict)
        self._gone: set[tuple[int, str]] = set()

    def takes(self) -> Mapping[str, Takes]:
        """What the watch told of pods, and callbacks."""
        return {What.POD: self._pod, What.CALLBACK: self._callback}

    def _pod(self, operation: Operation) -> None:
        got = operation.got or {}
        of_meeting, version = self._there[got["meeting"]], got["version"]
        begin, end = of_meeting.get(got["uid"], (version, version))
        if (meeting_pod := (got["meeting"], got["uid"])) not in self._gone:
            of_meeting[got["uid"]] = (min(begin, version), max(end, version))
        if not got["live"]:
            self._gone.add(meeting_pod)

    def _callback(self, operation: Operation) -> None:
        got = operation.got
        if got is None or operation.outcome != Outcome.OK:
            return
        of_meeting, pod = self._spoke[got["meeting"]], operation.args["pod"]
        begin, end = of_meeting.get(pod, (operation.ended, operation.begun))
        of_meeting[pod] = (min(begin, operation.ended), max(end, operation.begun))

    def findings(self, facts: Facts) -> Iterator[str]:
        """A sentence for each meeting with two at once."""
        for what, spans in (("there", self._there), ("answered", self._spoke)):
            for meeting, pods in spans.items():
                self.looked_at += len(pods)
                if _overlap(pods):
                    yield f"Two pods of {facts.name(meeting)} were {what} at once: {', '.join(sorted(pods))}."


def _overlap(pods: dict[str, tuple[float, float]]) -> bool:
    held = [Held(begin, end, number) for number, (begin, end) in enumerate(pods.values()) if begin < end]
    return len(held) > 1 and any(excesses(held, limit=1))
