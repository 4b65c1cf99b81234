"""What an operation proves of a meeting's status: that it was so at some moment between `after` and `before`.

An answer describes the row at a moment between question and answer. What is told without having been asked, by a
webhook or a watch, may be late by any time: it proves only that it had been so before.
"""

from math import inf
from typing import NamedTuple

from tests.faults.history.format import Operation, Outcome, What

# The order of statuses stands here once more: a table of production's would be the thing on trial.
LIVE = {"reserved": 0, "starting": 1, "active": 2, "stopping": 3}
TERMINAL = frozenset({"completed", "failed"})


class Evidence(NamedTuple):
    """`after` and `before` are on the recorder's clock, `wall` is the time of day at `before`."""

    meeting: int
    status: str
    after: float
    before: float
    wall: float
    reason: str | None
    actor: str


def evidence_of(operation: Operation) -> Evidence | None:
    """What it proves; None if it says nothing of a status."""
    got = operation.got
    if got is None or operation.outcome != Outcome.OK:
        return None
    what = operation.what
    if what == What.CALLBACK or what == What.GET or what == What.ASK:
        return _evidence(operation, got.get("meeting"), got.get("status"), got.get("reason"), operation.begun)
    if what == What.WEBHOOK:
        return _evidence(operation, got["meeting"], got["to"], got["reason"], -inf)
    if what == What.BOTREQUEST:
        return _evidence(operation, got.get("meeting"), got.get("phase"), None, -inf)
    return None


def _evidence(
    operation: Operation, meeting: int | None, status: str | None, reason: str | None, after: float
) -> Evidence | None:
    if meeting is None or (status not in LIVE and status not in TERMINAL):
        return None
    final = reason if status in TERMINAL else None
    return Evidence(meeting, str(status), after, operation.ended, operation.ended_wall, final, operation.actor)
