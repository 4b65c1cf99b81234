"""Whole lives: a database, `serve` and `operate`, and a swarm that plays the bots as their Jobs come."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from dev.stores.settings import load as stores
from tests.load import plane, rows
from tests.load.bench.asking import LONG, Bench
from tests.load.bench.rig import Rig
from tests.load.botswarm import Identity, Script, Swarm, TokenSigner
from tests.load.botswarm.sources import follow_rows

LONG_MEETING_S = 900
_LONG_LIVED = text("SELECT meeting_id FROM usher.bots WHERE ended_at IS NULL AND starts_with(request_name, :prefix)")


@dataclass(frozen=True, kw_only=True)
class Lives:
    """What lives are asked of and played by; it lasts as long as the context that made it."""

    bench: Bench
    swarm: Swarm
    serve: plane.UsherProcess
    operate: plane.UsherProcess


@asynccontextmanager
async def lives(rig: Rig, *, meeting_s: float) -> AsyncIterator[Lives]:
    """Everything up, each bot in its meeting for `meeting_s`; those whose BotRequests are called LONG stay."""
    async with plane.fresh_database() as (url, database), AsyncExitStack() as stack:
        async with database.transaction() as connection:
            users = await rows.users(connection, 100, cap=1_000_000)
        common: dict[str, Any] = {"kubeconfig": rig.kubeconfig, "database_url": url, "folder": rig.folder}
        serve = plane.serve(**common, redis_url=stores().redis_url)
        operate = plane.operate(**common, redis_url=stores().redis_url)
        await stack.enter_async_context(serve.running())
        await stack.enter_async_context(operate.running())
        swarm = Swarm(
            url=f"http://127.0.0.1:{plane.CALLBACK_PORT}", tokens=TokenSigner.of_cluster(rig.settings), seed=1
        )
        bench = Bench(rig, database, users)
        await stack.enter_async_context(swarm.running())
        following = asyncio.create_task(_follow(bench, swarm, meeting_s))
        stack.callback(following.cancel)
        yield Lives(bench=bench, swarm=swarm, serve=serve, operate=operate)


async def _follow(bench: Bench, swarm: Swarm, meeting_s: float) -> None:
    """Bring bots to life as their Jobs come."""
    long_lived: set[int] = set()

    def script_of(identity: Identity) -> Script:
        long = identity.meeting_id in long_lived
        return Script(lobby_s=1, meeting_s=LONG_MEETING_S if long else meeting_s, leave_s=1)

    async def learn() -> None:
        while True:
            async with bench.database.transaction() as connection:
                long_lived.update((await connection.scalars(_LONG_LIVED, {"prefix": f"{LONG}-"})).all())
            await asyncio.sleep(0.4)

    await asyncio.gather(learn(), follow_rows(swarm, bench.database, script_of, every_s=0.5))
