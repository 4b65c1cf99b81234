"""The process as PID 1: signals from its first moment, a termination message, and an end that nothing can prevent.

The kernel drops SIGTERM for a PID 1 without a handler, so `Signals` is installed before anything slow is imported and
holds the signal until the lifecycle can take it. `exit_at_the_latest` ends the process even if a driver refuses to be
cancelled: a daemon thread does it, whatever the event loop does.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

TERMINATION_MESSAGE_LENGTH = 4096


class Signals:
    """Remembers the first SIGTERM or SIGINT and passes it on as soon as there is a handler."""

    def __init__(self) -> None:
        self.arrived = False
        self._take: Callable[[], None] | None = None

    def install(self) -> None:
        """Handle the signals from now on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)

    def hand_to(self, take: Callable[[], None]) -> None:
        """Call `take` for every signal, and at once for one that came before."""
        self._take = take
        if self.arrived:
            take()

    def ignore(self) -> None:
        """The end is decided; further signals change nothing."""
        self._take = None

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self.arrived = True
        if self._take:
            self._take()


def ignore_children() -> None:
    """Stop handling SIGCHLD. An event loop closes the pipe that its signal handlers write to before it removes them, so
    the end of a killed program at that moment would write to a closed descriptor."""
    asyncio.get_running_loop().remove_signal_handler(signal.SIGCHLD)


def exit_at_the_latest(code: int, *, after_s: float) -> None:
    """End the process with `code` unless it ended by itself before."""
    timer = threading.Timer(after_s, os._exit, args=(code,))
    timer.daemon = True
    timer.start()


def write_termination_message(path: Path, sentence: str) -> None:
    """Write what Kubernetes shows as the termination message; a path that cannot be written is no error."""
    try:
        path.write_text(sentence[:TERMINATION_MESSAGE_LENGTH], encoding="utf-8")
    except OSError:
        return
