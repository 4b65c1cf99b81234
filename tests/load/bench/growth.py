"""What a bot costs when there are many: how soon a BotRequest has its Job, and shows it, beside few live bots and many.

The controller manager rests, so that the live bots are all reserved and nobody else works: what grows is Usher's own.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dev.stores.settings import load as stores
from tests.load import plane, rows
from tests.load.bench.figures import Figure
from tests.load.bench.harness import Harness
from tests.load.bench.load import at_once, poisson
from tests.load.bench.request_load import Bench
from tests.load.botswarm import Histogram
from usher_models.db import bots

CONNECTIONS = 16
SHOWN_WITHIN_S = 240.0
# The reserved bots of this benchmark never start, and shall not be failed for it.
SETTINGS = {"USHER_RESERVED_TIMEOUT_S": "3600"}


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """How long it took from a BotRequest's due time to its Job, and from there to its status."""

    job: Histogram
    status: Histogram


async def run(harness: Harness, load: dict[str, Any]) -> list[Figure]:
    """Its own database and operator, in a control plane that is made anew afterwards."""
    async with plane.fresh_database() as (url, database):
        async with database.transaction() as connection:
            users = await rows.users(connection, 100, cap=1_000_000)
        operate = plane.operate(
            kubeconfig=harness.kubeconfig,
            database_url=url,
            folder=harness.folder,
            redis_url=stores().redis_url,
            **SETTINGS,
        )
        harness.stop("controller-manager")
        async with operate.running():
            bench = Bench(harness, database, users)
            few = await _beside(bench, load["few"], load, operate)
            many = await _beside(bench, load["many"], load, operate)
    await harness.renew()
    return [
        _growth("growth of jobs", few.job, many.job, load),
        _growth("growth of statuses", few.status, many.status, load),
    ]


async def _beside(bench: Bench, live: int, load: dict[str, Any], operate: plane.UsherProcess) -> _Seen:
    """Ask at a steady rate beside so many live bots."""
    there, name = await _live(bench), f"beside-{live}"
    await at_once(
        bench.harness.api, list(itertools.islice(bench.requests(f"live-{live}"), live - there)), connections=CONNECTIONS
    )
    await bench.all_created(f"live-{live}", live - there)
    await bench.all_shown(within_s=SHOWN_WITHIN_S)
    bench.harness.shown()
    due: dict[str, float] = {}
    with bench.harness.shares(f"BotRequests at {load['rate']} a second beside {live} live bots", operate):
        answers = (await poisson(bench.harness.api, bench.requests(name, due), **_put_on(load))).answers
        jobs = await bench.all_created(name, answers[201])
        await bench.all_shown(within_s=SHOWN_WITHIN_S)
    return _Seen(job=_since(due, jobs), status=_since(jobs, bench.harness.shown()))


def _put_on(load: dict[str, Any]) -> dict[str, Any]:
    return {"rate": load["rate"], "seconds": load["seconds"], "connections": CONNECTIONS}


async def _live(bench: Bench) -> int:
    async with bench.database.reading() as connection:
        return len(await bots.live_connections(connection))


def _since(before: Mapping[str, float], after: Mapping[str, float]) -> Histogram:
    taken = Histogram()
    for name, at in after.items():
        if name in before:
            taken.add(max(at - before[name], 0.0))
    return taken


def _growth(name: str, few: Histogram, many: Histogram, load: dict[str, Any]) -> Figure:
    beside = [f"beside {load[which]}: {seen.summary()}" for which, seen in (("few", few), ("many", many))]
    return Figure(name=name, value=many.quantile(0.5) / few.quantile(0.5), unit="times", note="; ".join(beside))
