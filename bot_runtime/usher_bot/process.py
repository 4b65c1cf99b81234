"""The process as PID 1: signals from its first moment, a last word, and an end that nothing can prevent.

A PID 1 without a handler is deaf to SIGTERM, so `Signals` is installed before anything slow is imported and holds
the signal until a life can take it. `exit_at_the_latest` is the last resort against a driver that refuses to be
cancelled: a daemon thread that ends the process whatever the event loop does.
"""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

LAST_WORD_LENGTH = 4096


class Signals:
    """Remembers the first SIGTERM or SIGINT and passes it on as soon as somebody takes it."""

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


def exit_at_the_latest(code: int, *, after_s: float) -> None:
    """End the process with `code` unless it ended by itself before."""
    timer = threading.Timer(after_s, os._exit, args=(code,))
    timer.daemon = True
    timer.start()


def say_last_word(path: Path, sentence: str) -> None:
    """Leave a sentence where Kubernetes looks for the termination message; nobody minds when that is impossible."""
    try:
        path.write_text(sentence[:LAST_WORD_LENGTH], encoding="utf-8")
    except OSError:
        return
