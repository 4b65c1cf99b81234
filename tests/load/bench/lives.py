"""Whole lives: a database, `serve` and `operate`, and a swarm that plays the bots as their Jobs come."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from dev.stores.settings import load as stores
from tests.load import plane, rows
from tests.load.bench.harness import Harness
from tests.load.bench.request_load import Bench
from tests.load.botswarm import Script, Swarm, TokenSigner
from tests.load.botswarm.sources import follow_rows


@dataclass(frozen=True, kw_only=True)
class Lives:
    """What lives are asked of and played by; it lasts as long as the context that made it."""

    bench: Bench
    swarm: Swarm
    serve: plane.UsherProcess
    operate: plane.UsherProcess


@asynccontextmanager
async def lives(harness: Harness, *, meeting_s: float) -> AsyncIterator[Lives]:
    """Everything up, each bot in its meeting for `meeting_s`."""
    async with plane.fresh_database() as (url, database), AsyncExitStack() as stack:
        async with database.transaction() as connection:
            users = await rows.users(connection, 100, cap=1_000_000)
        common: dict[str, Any] = {"kubeconfig": harness.kubeconfig, "database_url": url, "folder": harness.folder}
        serve = plane.serve(**common, redis_url=stores().redis_url)
        operate = plane.operate(**common, redis_url=stores().redis_url)
        await stack.enter_async_context(serve.running())
        await stack.enter_async_context(operate.running())
        swarm = Swarm(
            url=f"http://127.0.0.1:{plane.CALLBACK_PORT}", tokens=TokenSigner.of_cluster(harness.settings), seed=1
        )
        await stack.enter_async_context(swarm.running())
        script = Script(lobby_s=1, meeting_s=meeting_s, leave_s=1)
        following = asyncio.create_task(follow_rows(swarm, database, lambda _: script, every_s=0.5))
        stack.callback(following.cancel)
        yield Lives(bench=Bench(harness, database, users), swarm=swarm, serve=serve, operate=operate)
