"""The output of the program under the exec driver: copied to the bot's own, with the last lines kept for its detail.

Standard output and error of the program are pipes, read whenever there is something to read. The kept part is bounded;
what a program wrote last usually says why it ended. Opened with the program, closed when the driver left.
"""

import asyncio
import os
from contextlib import suppress

from usher_bot.redaction import Redactor

KEPT_BYTES = 16 * 1024
TAIL_LINES = 6
TAIL_LENGTH = 400
_CHUNK = 64 * 1024
_STDOUT, _STDERR = 1, 2


class Output:
    """Reads one program's output."""

    def __init__(self, *, redactor: Redactor) -> None:
        self._redactor = redactor
        self._kept = {_STDOUT: b"", _STDERR: b""}
        self._copies: dict[int, int] = {}

    def open(self) -> tuple[int, int]:
        """The descriptors for the program's standard output and error; the caller closes them."""
        return self._pipe(_STDOUT), self._pipe(_STDERR)

    def tail(self) -> str | None:
        """The last lines of standard output and then of standard error; None if there are none."""
        for descriptor in list(self._copies):
            self._read_all(descriptor)
        return "\n".join(filter(None, map(self._tail_of, self._kept.values()))) or None

    def close(self) -> None:
        """Copy what is left and stop reading."""
        for descriptor in list(self._copies):
            self._read_all(descriptor)
            self._close(descriptor)

    def _tail_of(self, kept: bytes) -> str:
        """Bounded, printable and free of secrets, which are replaced before the cut, or half of one could remain."""
        lines = [_printable(line) for line in self._redactor.clean(kept.decode(errors="replace")).splitlines()]
        return "\n".join([line for line in lines if line][-TAIL_LINES:])[-TAIL_LENGTH:]

    def _pipe(self, copy_to: int) -> int:
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        self._copies[reading] = copy_to
        asyncio.get_running_loop().add_reader(reading, self._read, reading)
        return writing

    def _read_all(self, descriptor: int) -> None:
        while descriptor in self._copies and self._read(descriptor):
            pass

    def _read(self, descriptor: int) -> bool:
        """True if there was something to read."""
        try:
            chunk = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return False
        if not chunk:
            self._close(descriptor)
            return False
        stream = self._copies[descriptor]
        self._kept[stream] = (self._kept[stream] + chunk)[-KEPT_BYTES:]
        _copy(chunk, to=stream)
        return True

    def _close(self, descriptor: int) -> None:
        if self._copies.pop(descriptor, None) is not None:
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)


def _copy(chunk: bytes, *, to: int) -> None:
    with suppress(OSError):
        while chunk:
            chunk = chunk[os.write(to, chunk) :]


def _printable(line: str) -> str:
    return "".join(character if character.isprintable() else " " for character in line).strip()
