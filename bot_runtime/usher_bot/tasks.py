"""The tasks of one run: none outlives it, and none can delay its end.

One set is made per run. At its end everything in it is cancelled and waited for a bounded time: a driver may
swallow its cancellation, and the process must exit all the same.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from usher_bot.clock import Clock, first_of

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Tasks:
    """Spawns tasks and abandons them."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run it in the background. Its error is for the reader of the task; one that is not read is not logged."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def abandon(self, *, within_s: float) -> bool:
        """Cancel everything; whether it all ended in time."""
        remaining = set(self._tasks)
        for task in remaining:
            task.cancel()
        if remaining:
            await first_of(asyncio.wait(remaining), self._clock.sleep(within_s))
        return not self._tasks

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()
