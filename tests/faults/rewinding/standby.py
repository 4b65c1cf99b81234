"""A streaming standby that is behind is promoted after the death of its primary, and takes over its address."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

from sqlalchemy import make_url

from dev.machine.commands import run
from dev.machine.progress import Progress
from dev.stores import postgres
from dev.stores.settings import Settings
from tests.faults.harness.proxy import Proxy, Way
from tests.faults.rewinding.ground import Ground
from tests.faults.rewinding.rewind import Facts
from usher_models.db.engine import Database

PORTS_UP = 60
_BEHIND = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) FROM pg_stat_replication"


class PromotedStandby:
    """See the module."""

    facts = Facts(name="standby promoted with lag")

    def __init__(self) -> None:
        self._settings: Settings
        self._link: Proxy

    async def mark(self, ground: Ground, stack: AsyncExitStack) -> None:
        usual = ground.installation.stores.settings
        home, port = usual.home / "standby", usual.postgres_port + PORTS_UP
        self._settings = replace(usual, home=home, postgres_port=port)
        self._link = await stack.enter_async_context(Proxy.before(usual.postgres_port))
        stack.callback(postgres.down, self._settings)
        await asyncio.to_thread(_copy, usual, self._settings, through=self._link.port)
        await asyncio.to_thread(postgres.up, self._settings, progress=Progress())
        await self._caught_up(ground)
        await self._link.turn(Way.REFUSED)

    async def go_back(self, ground: Ground) -> None:
        await asyncio.to_thread(ground.installation.stores.kill_postgres)
        await asyncio.to_thread(ground.sql, "SELECT pg_promote(true, 30)", port=self._settings.postgres_port)
        for ways in ground.installation.ways.values():
            await ways.postgres.lead_to(self._settings.postgres_port)
        url = make_url(ground.direct_url).set(port=self._settings.postgres_port)
        ground.truth = Database.connect(
            url.render_as_string(hide_password=False), pool_size=2, application_name="usher-truth"
        )

    async def _caught_up(self, ground: Ground) -> None:
        async with asyncio.timeout(60):
            while await asyncio.to_thread(ground.sql, _BEHIND) != [(0,)]:  # noqa: ASYNC110 - polled
                await asyncio.sleep(0.2)


def _copy(primary: Settings, standby: Settings, *, through: int) -> None:
    """A base backup of the primary that follows it by the port `through`."""
    standby.postgres_data.parent.mkdir(parents=True, exist_ok=True)
    postgres.hand_over(standby.postgres_data.parent)
    program = str(primary.postgres_bin / "pg_basebackup")
    link = f"host=127.0.0.1 port={through} user={primary.user}"
    words = [f"--dbname={link}", f"--pgdata={standby.postgres_data}", "--write-recovery-conf", "--checkpoint=fast"]
    run([*postgres.unprivileged(), program, *words, "--no-sync"], cwd=standby.postgres_data.parent)
