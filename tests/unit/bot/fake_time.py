"""A clock that tests move by hand, or let run from one sleeper to the next.

Between two moments everything that can happen without time does happen, including calls over the loopback device:
`busy` says whether such a call is under way.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable

ROUNDS = 40
PATIENCE = 2000


class FakeClock:
    """Starts at zero; time passes only through `advance` and `run_until`."""

    def __init__(self) -> None:
        self.busy: Callable[[], bool] = lambda: False
        self.slept: list[float] = []
        self._now = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        wakes = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + max(0.0, seconds), next(self._order), wakes))
        await wakes

    async def advance(self, seconds: float) -> None:
        """Let that much time pass, with everything that happens in it."""
        until = self._now + seconds
        await self.settle()
        while self._next_at() <= until:
            await self._step()
        self._now = until

    async def run_until(self, done: Callable[[], bool], *, limit_s: float = 100_000.0) -> None:
        """Let time run until `done`."""
        await self.settle()
        while not done():
            assert self._next_at() <= limit_s, "Nothing will happen any more."
            await self._step()

    async def settle(self) -> None:
        """Let everything happen that needs no time."""
        for _ in range(ROUNDS):
            await asyncio.sleep(0)
        for _ in range(PATIENCE):
            if not self.busy():
                return
            await asyncio.sleep(0.001)
            for _ in range(ROUNDS):
                await asyncio.sleep(0)
        raise AssertionError("A call is still under way after seconds of real time.")

    async def _step(self) -> None:
        self._now, _, wakes = heapq.heappop(self._sleepers)
        if not wakes.done():
            wakes.set_result(None)
        await self.settle()

    def _next_at(self) -> float:
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else float("inf")


class InstantClock(FakeClock):
    """A clock for one sleeper: each sleep is over at once and leaves the time it took."""

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._now += max(0.0, seconds)
        await asyncio.sleep(0)
