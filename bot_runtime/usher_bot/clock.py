"""Time as a dependency, so that tests own it.

One clock is made with the process and handed to everything that waits. Nothing in this package calls `asyncio.sleep`
or `time.monotonic` by itself.
"""

import asyncio
import time
from collections.abc import Awaitable
from typing import Any, NoReturn, Protocol


class Clock(Protocol):
    """The time and waiting."""

    def now(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        ...


class SystemClock:
    """The real one."""

    def now(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def first_of(*waits: Awaitable[Any]) -> None:
    """Return when any of `waits` is done. Tasks among them keep running; plain coroutines are dropped."""
    futures = [asyncio.ensure_future(wait) for wait in waits]
    dropped = [future for future, wait in zip(futures, waits, strict=True) if future is not wait]
    try:
        await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for future in dropped:
            future.cancel()


async def within(task: asyncio.Future[Any], seconds: float, *, clock: Clock) -> bool:
    """True if `task` was done after at most `seconds`. It is neither cancelled nor are its errors looked at."""
    await first_of(task, clock.sleep(seconds))
    return task.done()


async def never() -> NoReturn:
    """Wait until cancelled."""
    while True:
        await asyncio.Event().wait()
