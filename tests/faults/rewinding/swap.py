"""Another installation's database stands in the place of the own one for a while, and then the own one is back."""

import asyncio
from contextlib import AsyncExitStack

from sqlalchemy import make_url

from tests.faults.rewinding.ground import Ground
from tests.faults.rewinding.rewind import Facts
from usher_models.db.engine import Database

FOR_S = 60.0


class SwappedDatabases:
    """See the module."""

    facts = Facts(name="two databases swapped", loses_late_bots=False, is_noticed=False)

    def __init__(self) -> None:
        self._other = ""

    async def mark(self, ground: Ground, stack: AsyncExitStack) -> None:
        url = ground.installation.stores.create_database("other")
        self._other = str(make_url(url).database)
        of_another = "UPDATE usher.installation SET id = gen_random_uuid()"
        await asyncio.to_thread(ground.sql, of_another, database=self._other)

    async def go_back(self, ground: Ground) -> None:
        await self._swap(ground)
        await asyncio.sleep(FOR_S)
        rows = await asyncio.to_thread(ground.sql, "SELECT count(*) FROM usher.bots", database=ground.database)
        assert rows == [(0,)], "Something was written into another installation's database."
        await self._swap(ground)
        ground.truth = Database.connect(ground.direct_url, pool_size=2, application_name="usher-truth")

    async def _swap(self, ground: Ground) -> None:
        own, other = ground.database, self._other
        statements = (
            f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname IN ('{own}', '{other}')",
            f'ALTER DATABASE "{own}" RENAME TO "{own}_away"',
            f'ALTER DATABASE "{other}" RENAME TO "{own}"',
            f'ALTER DATABASE "{own}_away" RENAME TO "{other}"',
        )
        async with ground.away():
            await asyncio.to_thread(ground.sql, *statements)
