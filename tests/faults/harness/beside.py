"""Work that goes on beside a run, and without which its verdict means nothing."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager


class EndedByItself(Exception):
    """Work that should go on for as long as the run ended before it."""


@asynccontextmanager
async def beside(**work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Go on with each work for as long as the context lasts. One that breaks or ends breaks the context off."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_for_ever(name, each), name=name) for name, each in work.items()]
        yield
        for task in tasks:
            task.cancel()


async def _for_ever(name: str, work: Coroutine[object, object, None]) -> None:
    await work
    raise EndedByItself(f"The {name} ended by itself.")
