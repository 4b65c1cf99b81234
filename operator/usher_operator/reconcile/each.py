"""Work on many things within one sweep: a few at once, until a deadline, so that a slow API server delays no sweep."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

logger = logging.getLogger(__name__)

# Each may take a connection of the pool, and callbacks of the watch need some too.
AT_ONCE = 4
LIMIT_S = 20.0

Thing = TypeVar("Thing")


async def each[Thing](
    things: Sequence[Thing], work: Callable[[Thing], Awaitable[None]], *, mode: str, limit_s: float | None = None
) -> None:
    """Do `work` on each of `things`; those that are not done in time are left to the next sweeps.

    In any order: things that always take long must not keep the same others waiting. Raises what `work` raises.
    """
    waiting = random.sample(things, len(things))
    try:
        async with asyncio.timeout(LIMIT_S if limit_s is None else limit_s):
            await _work_off(waiting, work)
    except TimeoutError:
        logger.warning(
            "%d of %d are left to the next sweep: the API server is slow.",
            len(waiting),
            len(things),
            extra={"action": "repairs_left", "mode": mode, "left": len(waiting)},
        )


async def _work_off[Thing](waiting: list[Thing], work: Callable[[Thing], Awaitable[None]]) -> None:
    async def worker() -> None:
        while waiting:
            await work(waiting.pop())

    outcomes = await asyncio.gather(*(worker() for _ in range(min(AT_ONCE, len(waiting)))), return_exceptions=True)
    for outcome in outcomes:
        if outcome is not None:
            raise outcome
