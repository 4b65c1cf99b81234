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
from tests.load.bench import restart
from tests.load.bench.asking import Bench
from tests.load.bench.figures import Figure
from tests.load.bench.load import at_once, poisson
from tests.load.bench.rig import Rig, rss_mib
from tests.load.botswarm import Histogram, Identity, Script, Swarm, TokenSigner
from tests.load.botswarm.sources import follow_rows

# More BotRequests than come in so many seconds are not waited for: a system that is overrun only piles up more.
PILE_S = 20.0


async def run(rig: Rig, load: dict[str, Any]) -> list[Figure]:
    """Everything about the way from a BotRequest to its Job."""
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
        figures = await _sustained(bench, load, operate, serve)
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


async def _sustained(
    bench: Bench, load: dict[str, Any], operate: plane.UsherProcess, serve: plane.UsherProcess
) -> list[Figure]:
    due: dict[str, float] = {}
    bench.rig.writes()
    pile = asyncio.create_task(_piled_up(bench, due, most=load["rate"] * PILE_S))
    with bench.rig.shares("BotRequest to Job, sustained", operate, serve):
        outcome = await poisson(
            bench.rig.api,
            bench.requests("steady", due),
            rate=load["rate"],
            seconds=load["seconds"],
            connections=32,
            enough=pile.done,
        )
    given_up = f"; given up after {outcome.seconds:.0f} s with {pile.result()} waiting" if pile.done() else ""
    pile.cancel()
    created = await bench.all_created("steady", outcome.answers[201])
    await bench.all_over("steady", within_s=load["meeting_s"] + 40)
    writes = bench.rig.writes(await bench.names("steady"))
    latency, early, late = Histogram(), Histogram(), Histogram()
    names = sorted(created, key=lambda name: due[name])
    for at, name in enumerate(names):
        taken = max(created[name] - due[name], 0.0)
        latency.add(taken)
        (early if at < len(names) / 5 else late if at >= len(names) * 4 / 5 else Histogram()).add(taken)
    span = max(created.values()) - min(due.values())
    p50s = early.quantile(0.5), late.quantile(0.5)
    growth = f"p50 {1000 * p50s[0]:.0f} ms in the first fifth, {1000 * p50s[1]:.0f} ms in the last"
    listed = ", ".join(f"{count / len(created):.2f} {what}" for what, count in writes.most_common(6))
    note = f"{len(created)} in {span:.0f} s; operator {rss_mib(operate.pid):.0f} MiB{given_up}"
    return [
        Figure(name="requests", value=len(created) / span, unit="/s", note=note),
        Figure(name="requests p99", value=latency.quantile(0.99), unit="s", note=f"{latency.summary()}; {growth}"),
        Figure(name="requests lost", value=float(outcome.answers[201] - len(created)), unit=""),
        Figure(name="writes per life", value=writes.total() / len(created), unit="", note=listed),
        Figure(name="status growth", value=p50s[1] / p50s[0], unit="times"),
    ]


async def _piled_up(bench: Bench, due: dict[str, float], *, most: float) -> int:
    """Wait until more than that many BotRequests wait for their Jobs: it gets no better from there."""
    while (waiting := len(due) - len(await bench.created("steady"))) < most:
        await asyncio.sleep(2)
    return waiting


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
