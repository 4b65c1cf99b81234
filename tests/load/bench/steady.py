"""BotRequests at a steady rate, each with a whole life behind it: how soon its Job is there, and whether that lasts."""

import asyncio
from typing import Any

from tests.load.bench.figures import Figure
from tests.load.bench.harness import rss_mib
from tests.load.bench.lives import Lives
from tests.load.bench.load import poisson
from tests.load.bench.request_load import Bench
from tests.load.botswarm import Histogram

# More BotRequests than come in so many seconds are not waited for: a system that is overrun only piles up more.
PILE_S = 20.0


async def measure(those: Lives, load: dict[str, Any], *, name: str = "requests") -> list[Figure]:
    """Ask for `load["rate"]` bots a second for `load["seconds"]`, or until too many wait; figures begin with `name`."""
    bench, operate = those.bench, those.operate
    due: dict[str, float] = {}
    bench.harness.writes()
    pile = asyncio.create_task(_piled_up(bench, due, name, most=load["rate"] * PILE_S))
    with bench.harness.shares(f"BotRequests at {load['rate']} a second", operate, those.serve):
        outcome = await poisson(
            bench.harness.api,
            bench.requests(name, due),
            rate=load["rate"],
            seconds=load["seconds"],
            connections=32,
            enough=pile.done,
        )
    given_up = f"; given up after {outcome.seconds:.0f} s with {pile.result()} waiting" if pile.done() else ""
    pile.cancel()
    created = await bench.all_created(name, outcome.answers[201])
    await bench.all_over(name, within_s=load["meeting_s"] + 40)
    writes = bench.harness.writes(await bench.names(name))
    span = max(created.values()) - min(due.values())
    listed = ", ".join(f"{count / len(created):.2f} {what}" for what, count in writes.most_common(6))
    note = f"{len(created)} in {span:.0f} s at {load['rate']}/s; operator {rss_mib(operate.pid):.0f} MiB{given_up}"
    return [
        Figure(name=name, value=len(created) / span, unit="/s", note=note),
        *_latencies({each: max(at - due[each], 0.0) for each, at in created.items()}, due, name=name),
        Figure(name=f"{name} lost", value=float(outcome.answers[201] - len(created)), unit=""),
        Figure(name=f"{name}, writes per life", value=writes.total() / len(created), unit="", note=listed),
    ]


def _latencies(taken_s: dict[str, float], due: dict[str, float], *, name: str) -> list[Figure]:
    whole, early, late = Histogram(), Histogram(), Histogram()
    in_order = sorted(taken_s, key=lambda each: due[each])
    for at, each in enumerate(in_order):
        whole.add(taken_s[each])
        if at < len(in_order) / 5:
            early.add(taken_s[each])
        if at >= len(in_order) * 4 / 5:
            late.add(taken_s[each])
    first, last = early.quantile(0.5), late.quantile(0.5)
    growth = f"p50 {1000 * first:.0f} ms in the first fifth, {1000 * last:.0f} ms in the last"
    return [
        Figure(name=f"{name} p50", value=whole.quantile(0.5), unit="s"),
        Figure(name=f"{name} p99", value=whole.quantile(0.99), unit="s", note=whole.summary()),
        Figure(name=f"{name} growth", value=last / first, unit="times", note=growth),
    ]


async def _piled_up(bench: Bench, due: dict[str, float], name: str, *, most: float) -> int:
    """Wait until more than that many BotRequests wait for their Jobs: it gets no better from there."""
    while (waiting := len(due) - await bench.count_created(name)) < most:
        await asyncio.sleep(2)
    return waiting
