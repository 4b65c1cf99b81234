"""The time between SIGTERM and SIGKILL: how much of the leave grace is left, and for what.

Kubernetes sends SIGTERM once and kills later. Until then the driver may leave, and a part of the time is kept for
the last callback, because a row without an end keeps a user's slot. Made with the lifecycle; `terminate` is called by
the signal handler, at any time, also in the middle of leaving or reporting.
"""

import asyncio
from typing import Any

from usher_bot.clock import Clock, first_of

LONGEST_REPORT_RESERVE_S = 10.0
USEFUL_REPORT_S = 5.0


class ShutdownDeadline:
    """Limits waits to their time, which SIGTERM may shorten while they run."""

    def __init__(self, *, total_s: float, clock: Clock) -> None:
        self._total_s = total_s
        self._clock = clock
        self._terminated = asyncio.Event()
        self._terminated_at = 0.0

    def terminate(self) -> None:
        """SIGTERM arrived; only the first one counts."""
        if not self._terminated.is_set():
            self._terminated_at = self._clock.now()
            self._terminated.set()

    @property
    def left_s(self) -> float | None:
        """The time left for reporting, at least a useful time; None before SIGTERM."""
        return max(USEFUL_REPORT_S, self._left()) if self._terminated.is_set() else None

    @property
    def is_running(self) -> bool:
        """True if SIGTERM arrived."""
        return self._terminated.is_set()

    async def begun(self) -> None:
        """Return when SIGTERM arrived."""
        await self._terminated.wait()

    async def for_leaving(self, task: asyncio.Future[Any]) -> bool:
        """True if `task` was done within the grace, less the reserve once the process was told to terminate."""
        reserve = min(LONGEST_REPORT_RESERVE_S, self._total_s / 3)
        await first_of(task, self._clock.sleep(self._total_s), self._runs_out(keep=reserve, at_least=0.0))
        return task.done()

    async def for_reporting(self, task: asyncio.Future[Any]) -> bool:
        """True if `task` was done; only SIGTERM limits it."""
        await first_of(task, self._runs_out(keep=0.0, at_least=USEFUL_REPORT_S))
        return task.done()

    async def _runs_out(self, *, keep: float, at_least: float) -> None:
        await self._terminated.wait()
        await self._clock.sleep(max(at_least, self._left() - keep))

    def _left(self) -> float:
        return self._terminated_at + self._total_s - self._clock.now()
