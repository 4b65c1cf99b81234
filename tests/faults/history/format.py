"""The lines of a history: JSON objects, in the order in which one recorder wrote them.

    {"history": 1, "run": "soak", "seed": 1, …}                                  the first line
    {"at": …, "wall": …, "op": 7, "actor": "person 3", "invoke": "ask", "args": {…}}
    {"at": …, "wall": …, "op": 7, "return": "ok", "got": {…}}                    ok, refused or unknown
    {"at": …, "wall": …, "actor": "pod watch", "see": "pod", "got": {…}}         told without having asked
    {"at": …, "wall": …, "end": true}                                            the last line

`at` are monotonic seconds and `wall` is the time of day; `unknown` is an operation of which nobody can say whether it
took effect: the reply was lost, or was an error of the server.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from pathlib import Path
from typing import Any

import orjson

VERSION = 1
# A history is one recorder's and its clock does not go back: whatever the order of lines proves rests on this.
Record = dict[str, Any]


class Outcome(StrEnum):
    """How an operation came back."""

    OK = "ok"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class What(StrEnum):
    """What is asked or seen."""

    USER = "user"
    MADE = "made"
    SUBSCRIBE = "subscribe"
    ASK = "ask"
    GET = "get"
    LEAVE = "leave"
    RECONFIGURE = "reconfigure"
    APPLY = "apply"
    PATCH = "patch"
    DELETE = "delete"
    REDELIVER = "redeliver"
    CALLBACK = "callback"
    WEBHOOK = "webhook"
    POD = "pod"
    BOTREQUEST = "botrequest"
    AUDIT = "audit"
    READ_TRAIL = "read the trail"


class NoHistory(Exception):
    """A file that is not a whole history, with the reason."""


@dataclass(slots=True)
class Operation:
    """One operation, or one thing seen. Without a return it is unknown and `ended` is infinite."""

    actor: str
    what: str
    args: Record
    begun: float
    begun_wall: float
    outcome: str = Outcome.UNKNOWN
    got: Record | None = None
    ended: float = inf
    ended_wall: float = inf


def lines(path: Path) -> Iterator[Record]:
    """Every line of a file. Raises NoHistory."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield _parsed(line, number)
    except OSError as exc:
        raise NoHistory(f"{path} cannot be read: {exc.strerror}.") from exc


def _parsed(line: bytes, number: int) -> Record:
    try:
        record = orjson.loads(line)
    except ValueError as exc:
        raise NoHistory(f"Line {number} is not JSON.") from exc
    if not isinstance(record, dict):
        raise NoHistory(f"Line {number} is not an object.")
    return record


def operations(records: Iterable[Record]) -> Iterator[Operation]:
    """The operations in the order in which they came back, and last those that did not. Raises NoHistory."""
    remaining = iter(records)
    _require_header(next(remaining, {}))
    under_way: dict[int, Operation] = {}
    now, over = -inf, False
    for record in remaining:
        if over or record.get("at", -inf) < now:
            raise NoHistory("A line stands after the end." if over else f"The clock goes back at {record.get('at')}.")
        now = record["at"]
        if "return" in record:
            yield _returned(under_way, record)
        elif "invoke" in record:
            _invoked(under_way, record)
        elif "see" in record:
            yield _seen(record)
        else:
            over = record.get("end") is True
    if not over:
        raise NoHistory("The history has no end: the run broke off, or the file is cut.")
    yield from under_way.values()


def _require_header(record: Record) -> None:
    if record.get("history") != VERSION:
        raise NoHistory(f"The first line is not that of a history of version {VERSION}.")


def _invoked(under_way: dict[int, Operation], record: Record) -> None:
    if record["op"] in under_way:
        raise NoHistory(f"Operation {record['op']} is invoked twice.")
    under_way[record["op"]] = Operation(record["actor"], record["invoke"], record["args"], record["at"], record["wall"])


def _returned(under_way: dict[int, Operation], record: Record) -> Operation:
    operation = under_way.pop(record["op"], None)
    if operation is None:
        raise NoHistory(f"Operation {record['op']} returns and was not invoked.")
    operation.outcome, operation.got = record["return"], record["got"]
    operation.ended, operation.ended_wall = record["at"], record["wall"]
    return operation


def _seen(record: Record) -> Operation:
    at, wall = record["at"], record["wall"]
    return Operation(record["actor"], record["see"], {}, at, wall, Outcome.OK, record["got"], at, wall)


def write(path: Path, records: Iterable[Record]) -> int:
    """Write a file of those lines; their number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with path.open("wb", buffering=1 << 20) as file:
        for record in records:
            file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
            count += 1
    return count
