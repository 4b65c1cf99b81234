"""Writes a history, a line for each invoke, return and thing seen, as they happen.

Actors name what may be kept; a secret has no place in a history, and the recorder refuses the names of those there are.
"""

import time
from collections.abc import Buffer, Callable, Iterator
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path
from typing import Any, Protocol, Self

import orjson

from tests.faults.history.format import VERSION, Outcome, Record

SECRETS = frozenset({"key", "token", "authorization", "passcode", "secret", "password", "headers"})
BUFFER_BYTES = 1 << 20


class _Writes(Protocol):
    def write(self, data: bytes, /) -> object: ...


class SecretRecorded(Exception):
    """A secret was to be written into a history."""


class _Nowhere(RawIOBase):
    def write(self, data: Buffer, /) -> int:
        return len(memoryview(data))


class Recorder:
    """Use `recording`. Everything is written from one thread, so that lines stand in the order of their clock."""

    def __init__(
        self,
        file: _Writes,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._file = file
        self._clock = clock
        self._wall = wall
        self._invoked = 0

    @classmethod
    @contextmanager
    def recording(cls, path: Path, *, run: str, seed: int) -> Iterator[Self]:
        """A history of a run; it has an end only if the context ends without an error."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb", buffering=BUFFER_BYTES) as file:
            recorder = cls(file)
            recorder._write({"history": VERSION, "run": run, "seed": seed})
            yield recorder
            recorder._write({"end": True})

    @classmethod
    def nowhere(cls) -> Self:
        """One for runs that keep no history."""
        return cls(_Nowhere())

    def invoke(self, actor: str, what: str, **args: Any) -> int:
        """Somebody asks for something; the number is for `answer`."""
        self._refuse_secrets(args)
        self._invoked += 1
        self._write({"op": self._invoked, "actor": actor, "invoke": what, "args": args})
        return self._invoked

    def answer(self, number: int, outcome: Outcome, **got: Any) -> None:
        """What came back. An operation that is never answered is unknown."""
        self._refuse_secrets(got)
        self._write({"op": number, "return": outcome, "got": got})

    def see(self, actor: str, what: str, **got: Any) -> None:
        """Somebody is told something."""
        self._refuse_secrets(got)
        self._write({"actor": actor, "see": what, "got": got})

    def _refuse_secrets(self, fields: Record) -> None:
        if not SECRETS.isdisjoint(fields):
            raise SecretRecorded(f"A history keeps no {', '.join(sorted(SECRETS & fields.keys()))}.")

    def _write(self, fields: Record) -> None:
        record = {"at": self._clock(), "wall": self._wall()} | fields
        self._file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))


def outcome_of(code: int) -> Outcome:
    """What an HTTP status says of an operation; 0 is no answer."""
    if 200 <= code < 300:
        return Outcome.OK
    return Outcome.REFUSED if 400 <= code < 500 else Outcome.UNKNOWN
