"""The sequences are behind, as after a restore of tables without them."""

import asyncio
from contextlib import AsyncExitStack

from tests.faults.rewinding.ground import Ground
from tests.faults.rewinding.rewind import Facts


class SequencesBehind:
    """See the module."""

    facts = Facts(name="sequences behind", loses_late_bots=False)

    async def mark(self, ground: Ground, stack: AsyncExitStack) -> None:
        """Nothing is kept."""

    async def go_back(self, ground: Ground) -> None:
        back = "SELECT setval(usher.meeting_id_sequence(), 1, false)"
        await asyncio.to_thread(ground.sql, back, database=ground.database)
