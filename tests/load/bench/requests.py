"""From BotRequest to Job on the real control plane, with whole lives: at a steady rate, and in a burst."""

import itertools
import time
from typing import Any

from sqlalchemy import text

from tests.load.bench import steady
from tests.load.bench.figures import Figure
from tests.load.bench.harness import Harness
from tests.load.bench.lives import Lives, lives
from tests.load.bench.load import at_once


async def run(harness: Harness, load: dict[str, Any]) -> list[Figure]:
    """At the rate that is aimed at, at one that lasts, and all at once."""
    async with lives(harness, meeting_s=load["meeting_s"]) as those:
        figures = await steady.measure(those, load)
        if "lasting" in load:
            figures += await steady.measure(those, load["lasting"] | {"meeting_s": load["meeting_s"]}, name="lasting")
        return figures + (await _burst(those, load["burst"]) if "burst" in load else [])


async def _burst(those: Lives, load: dict[str, Any]) -> list[Figure]:
    count, bench = load["requests"], those.bench
    payloads = list(itertools.islice(bench.requests("burst"), count))
    began = time.time()
    with bench.harness.shares("a burst of BotRequests", those.operate, those.serve):
        await at_once(bench.harness.api, payloads, connections=16)
        created = await bench.all_created("burst", count)
    async with bench.database.transaction() as connection:
        rows_of = text("SELECT count(*) FROM usher.bots WHERE request_name LIKE 'burst-%'")
        reserved = int(await connection.scalar(rows_of) or 0)
    took = max(created.values()) - began
    return [
        Figure(name="burst", value=took, unit="s", note=f"{len(created)} of {count} Jobs"),
        Figure(name="burst missing or twice", value=float(abs(count - len(created)) + abs(count - reserved)), unit=""),
    ]
