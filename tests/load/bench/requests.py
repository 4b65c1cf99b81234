"""From BotRequest to Job on the real control plane, with whole lives: steadily, in a burst, and after a restart of the
operator among everything that was."""

import asyncio
import itertools
import time
from contextlib import AsyncExitStack
from typing import Any

from sqlalchemy import text

from dev.stores.settings import load as stores
from tests.load import plane, rows
from tests.load.bench import restart, steady
from tests.load.bench.asking import Bench
from tests.load.bench.figures import Figure
from tests.load.bench.load import at_once
from tests.load.bench.rig import Rig
from tests.load.botswarm import Identity, Script, Swarm, TokenSigner
from tests.load.botswarm.sources import follow_rows


async def run(rig: Rig, load: dict[str, Any]) -> list[Figure]:
    """Everything about the way from a BotRequest to its Job."""
    figures = await _measured(rig, load)
    if "restart" in load:
        # Ten thousand objects that are collected by and by would be a burden to whatever is measured next.
        await rig.renew()
    return figures


async def _measured(rig: Rig, load: dict[str, Any]) -> list[Figure]:
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
        meeting_s = load["meeting_s"]

        def script_of(identity: Identity) -> Script:
            long = identity.meeting_id in long_lived
            return Script(lobby_s=1, meeting_s=900 if long else meeting_s, leave_s=1)

        long_lived: set[int] = set()
        following = asyncio.create_task(_follow(bench, swarm, script_of, long_lived))
        stack.callback(following.cancel)
        figures = await steady.measure(bench, load, operate=operate, serve=serve)
        if "lasting" in load:
            lasting = load["lasting"] | {"meeting_s": meeting_s}
            figures += await steady.measure(bench, lasting, operate=operate, serve=serve, name="lasting")
        figures += await _burst(bench, load["burst"], operate, serve)
        if "restart" in load:
            figures += await restart.measure(bench, swarm, load["restart"], operate)
        return figures


async def _follow(bench: Bench, swarm: Swarm, script_of: Any, long_lived: set[int]) -> None:
    """Bring bots to life as their Jobs come; those of the burst stay for long."""

    async def learn() -> None:
        query = text("SELECT meeting_id FROM usher.bots WHERE ended_at IS NULL AND request_name LIKE 'burst-%'")
        while True:
            async with bench.database.transaction() as connection:
                long_lived.update((await connection.scalars(query)).all())
            await asyncio.sleep(0.4)

    await asyncio.gather(learn(), follow_rows(swarm, bench.database, script_of, every_s=0.5))


async def _burst(
    bench: Bench, load: dict[str, Any], operate: plane.UsherProcess, serve: plane.UsherProcess
) -> list[Figure]:
    count = load["requests"]
    payloads = list(itertools.islice(bench.requests("burst"), count))
    began = time.time()
    with bench.rig.shares("a burst of BotRequests", operate, serve):
        await at_once(bench.rig.api, payloads, connections=16)
        created = await bench.all_created("burst", count)
    async with bench.database.transaction() as connection:
        rows_of = text("SELECT count(*) FROM usher.bots WHERE request_name LIKE 'burst-%'")
        reserved = int(await connection.scalar(rows_of) or 0)
    took = max(created.values()) - began
    return [
        Figure(name="burst", value=took, unit="s", note=f"{len(created)} of {count} Jobs"),
        Figure(name="burst missing or twice", value=float(abs(count - len(created)) + abs(count - reserved)), unit=""),
    ]
