"""`usher run`: both processes in one, for development. Never in production: kopf may pin the loop that beats need."""

import asyncio

from usher_operator.processes.operate import operate
from usher_operator.processes.serve import serve, stop_on_signals
from usher_operator.settings import Settings


async def run(settings: Settings) -> None:
    """Operate and serve until SIGTERM or SIGINT; when one ends, so does the other."""
    stop = stop_on_signals()

    async def until_stopped(work: object) -> None:
        try:
            await work  # type: ignore[misc]
        finally:
            stop.set()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(until_stopped(serve(settings, stop=stop)))
        tasks.create_task(until_stopped(operate(settings, stop=stop)))
