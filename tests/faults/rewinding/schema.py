"""The schema `usher` is dropped, as by `DROP SCHEMA usher CASCADE`, and made anew by `usher db upgrade`."""

import asyncio
from contextlib import AsyncExitStack

from tests.faults.rewinding.ground import Ground
from tests.faults.rewinding.rewind import Facts
from usher_models.db import upgrade


class DroppedSchema:
    """See the module."""

    facts = Facts(name="schema dropped", loses_all=True)

    async def mark(self, ground: Ground, stack: AsyncExitStack) -> None:
        """Nothing is kept."""

    async def go_back(self, ground: Ground) -> None:
        await asyncio.to_thread(ground.sql, "DROP SCHEMA usher CASCADE", database=ground.database)
        await upgrade.upgrade(ground.truth)
