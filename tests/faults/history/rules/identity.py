"""An id stands for one thing: a meeting's id for one room and one connection, a trail's numbers for one row each."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tests.faults.history.facts import Facts, Room
from tests.faults.history.format import Operation, Outcome, What
from tests.faults.history.rules.rule import Rule, Takes


class Identity(Rule):
    """Whatever names two things under one id is found, whoever told them."""

    name = "ids stand for one thing"
    of = "meetings' ids"

    def __init__(self) -> None:
        super().__init__()
        self._rooms: dict[int, Room] = {}
        self._connections: dict[int, str] = {}
        self._meetings: dict[str, int] = {}
        self._created: dict[int, str] = {}
        self._found: dict[str, None] = {}

    def takes(self) -> Mapping[str, Takes]:
        """Everything that names a meeting with its room or its connection."""
        return {
            What.ASK: self._ask,
            What.CALLBACK: self._callback,
            What.WEBHOOK: self._named,
            What.AUDIT: self._named,
        }

    def _ask(self, operation: Operation) -> None:
        got, args = operation.got, operation.args
        if operation.outcome != Outcome.OK or got is None:
            return
        self._room(got["meeting"], Room(args["user"], args["platform"], args["native_id"]))
        if not got["replayed"]:
            first = self._created.setdefault(got["meeting"], args["request"])
            if first != args["request"]:
                self._find(f"Two requests were answered with meeting {got['meeting']}: {first} and {args['request']}.")

    def _callback(self, operation: Operation) -> None:
        if operation.outcome == Outcome.OK and operation.got is not None:
            self._connection(operation.got["meeting"], operation.args["connection"])

    def _named(self, operation: Operation) -> None:
        got: dict[str, Any] = operation.got or {}
        self._room(got["meeting"], Room(got["user"], got["platform"], got["native_id"]))
        self._connection(got["meeting"], got["connection"])

    def _room(self, meeting: int, room: Room) -> None:
        first = self._rooms.setdefault(meeting, room)
        if first != room:
            self._find(
                f"Meeting {meeting} is {first.native_id} of user {first.user}, and {room.native_id} of {room.user}."
            )

    def _connection(self, meeting: int, connection: str) -> None:
        first = self._connections.setdefault(meeting, connection)
        if first != connection:
            self._find(f"Meeting {meeting} has two connection ids: {first} and {connection}.")
        other = self._meetings.setdefault(connection, meeting)
        if other != meeting:
            self._find(f"The connection id {connection} has two meetings: {other} and {meeting}.")

    def _find(self, sentence: str) -> None:
        self._found[sentence] = None

    def findings(self, facts: Facts) -> Iterator[str]:
        """A sentence for each id with two meanings."""
        self.looked_at = len(self._rooms)
        yield from self._found
        for meeting, steps in facts.trail.items():
            for seq, count in Counter(step.seq for step in steps).items():
                if count > 1:
                    yield f"The trail of {facts.name(meeting)} has {count} rows of the number {seq}."
            for event, count in Counter(step.event for step in steps if step.event).items():
                if count > 1:
                    yield f"The trail of {facts.name(meeting)} has {count} rows of the event {event}."
