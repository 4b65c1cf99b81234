"""Progress lines: what happens, how long it took, and a sign of life while it does.

One `Progress` lives as long as one command. Lines go to standard error, so that standard output stays
usable in `eval "$(... env)"`.
"""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

HEARTBEAT_S = 30.0


class Progress:
    """Prints each step with the seconds since the command began."""

    def __init__(self, *, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._began = time.monotonic()
        self._heartbeat_s = heartbeat_s
        self._write = threading.Lock()

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._began

    def say(self, sentence: str) -> None:
        with self._write:
            print(f"[{self.elapsed_s:6.1f} s] {sentence}", file=sys.stderr, flush=True)

    @contextmanager
    def step(self, name: str, *, usually: str = "") -> Iterator[None]:
        """Announce a step, beat while it runs, and say how long it took."""
        began = time.monotonic()
        self.say(f"{name} (usually {usually})" if usually else name)
        ended = threading.Event()
        beat = threading.Thread(target=self._beat, args=(name, began, ended), daemon=True)
        beat.start()
        try:
            yield
        finally:
            ended.set()
            beat.join()
        if usually:
            self.say(f"{name}: done in {time.monotonic() - began:.1f} s")

    def _beat(self, name: str, began: float, ended: threading.Event) -> None:
        while not ended.wait(self._heartbeat_s):
            self.say(f"{name}: still at it after {time.monotonic() - began:.0f} s")
