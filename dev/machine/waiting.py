"""Waiting for a condition with an end to the patience. Nothing lives here between calls."""

import time
from collections.abc import Callable

from dev.machine import processes
from dev.machine.commands import tail
from dev.machine.errors import DevError

SPAWN_S = 1.0  # how long a started process may take to appear under its own name


def until(
    ready: Callable[[], bool],
    *,
    timeout_s: float,
    otherwise: str,
    every_s: float = 0.1,
    while_running: processes.Process | None = None,
) -> None:
    """Return once `ready` says so; raise a DevError when the time is up or the process it hangs on is gone."""
    began = time.monotonic()
    while not ready():
        waited = time.monotonic() - began
        dead = while_running is not None and waited > SPAWN_S and processes.find(while_running) is None
        if dead or waited > timeout_s:
            raise DevError(otherwise + (_last_words(while_running) if while_running else ""))
        time.sleep(every_s)


def _last_words(process: processes.Process) -> str:
    words = process.log.read_text(errors="replace") if process.log.exists() else ""
    return f" Its last words:\n{tail(words)}"
