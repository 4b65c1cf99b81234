"""Outages: 1,000 beating bots, and what they need is away for 3, 5 and 10 minutes; no bot may be failed for it.

Five worlds at once, each with its own stores, `serve`, `operate` and bots on default clocks; in each, one thing is away
for each of the durations in turn. Afterwards every bot must be heard of again within 60 s, and two minutes later, when
a wrong verdict would have fallen, every row must still be active.
"""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from dev.cluster import bare
from dev.machine.progress import Progress
from tests.faults.figures import Figure, Scale, at_most, exactly
from tests.faults.harness import checkers
from tests.faults.harness.api import Api
from tests.faults.harness.fleet import Fleet, a_world
from tests.faults.harness.proxy import Way
from tests.faults.history.actors.trail import read_trail
from tests.faults.history.observers import file_of
from tests.faults.history.recorder import Recorder
from tests.faults.history.report import figures_of_file
from tests.faults.history.rules.promised import Promised
from tests.faults.history.rules.terminal import Terminal
from tests.faults.history.rules.webhooks import Webhooks

LONG = True
MINUTES: tuple[float, ...] = (3, 5, 10)
BOTS = 1_000
STEADY_S = 60.0
VERDICT_S = 130.0
QUICK_MINUTES: tuple[float, ...] = (0.25,)
QUICK_BOTS = 50
GIVEN_UP_S = 300.0

# Nobody asks for a bot, none ends, and no user has a webhook.
IDLE = (Promised.name, Terminal.name, Webhooks.name)

Act = Callable[[Fleet], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Outage:
    """Something that goes away, and how it comes back."""

    name: str
    begin: Act
    end: Act


async def _kill_serve(fleet: Fleet) -> None:
    await fleet.serve.stop(signal.SIGKILL)


async def _kill_postgres(fleet: Fleet) -> None:
    await asyncio.to_thread(fleet.stores.kill_postgres)


async def _start_postgres(fleet: Fleet) -> None:
    await asyncio.to_thread(fleet.stores.start_postgres)


async def _kill_redis(fleet: Fleet) -> None:
    await asyncio.to_thread(fleet.stores.kill_redis)


async def _start_redis(fleet: Fleet) -> None:
    await asyncio.to_thread(fleet.stores.start_redis)


OUTAGES = (
    Outage(name="serve killed", begin=_kill_serve, end=lambda fleet: fleet.serve.start()),
    Outage(
        name="callbacks half-open",
        begin=lambda fleet: fleet.callbacks.turn(Way.HALF_OPEN),
        end=lambda fleet: fleet.callbacks.turn(Way.OPEN),
    ),
    Outage(name="Postgres killed", begin=_kill_postgres, end=_start_postgres),
    Outage(name="Redis killed", begin=_kill_redis, end=_start_redis),
    Outage(
        name="API server refusing",
        begin=lambda fleet: fleet.api_server.turn(Way.REFUSED),
        end=lambda fleet: fleet.api_server.turn(Way.OPEN),
    ),
)


async def run(scale: Scale) -> list[Figure]:
    """Every outage, each in a world of its own, at the same time."""
    settings = bare.load()
    await asyncio.to_thread(bare.up, settings, progress=Progress())
    minutes = QUICK_MINUTES if scale.quick else MINUTES
    bots = QUICK_BOTS if scale.quick else BOTS
    stamp = int(time.time())
    async with Api.connect(settings) as api, AsyncExitStack() as stack:
        worlds, recorders = [], []
        for number in range(len(OUTAGES)):
            recorder = stack.enter_context(Recorder.recording(file_of("outages", number), run="outages", seed=stamp))
            world = a_world(api, number=number, bots=bots, seed=stamp, recorder=recorder)
            worlds.append(await stack.enter_async_context(world))
            recorders.append(recorder)
            scale.say(f"world {number + 1} of {len(OUTAGES)} is there: {bots} bots")
        await asyncio.gather(*(_first_beats(fleet) for fleet in worlds))
        scale.say("all of them beat")
        pairs = zip(OUTAGES, worlds, strict=True)
        figures = await asyncio.gather(*(_go_through(outage, fleet, minutes, scale) for outage, fleet in pairs))
        for recorder, fleet in zip(recorders, worlds, strict=True):
            await read_trail(recorder, fleet.truth)
    histories = [await asyncio.to_thread(_history, number, bots, scale) for number in range(len(OUTAGES))]
    return [figure for each in (*figures, *histories) for figure in each]


def _history(number: int, bots: int, scale: Scale) -> list[Figure]:
    """What the bots of a world were told, checked by itself."""
    name = f"history of {OUTAGES[number].name}"

    def tell(sentence: str) -> None:
        scale.say(f"{name}: {sentence}")

    # Each bot came to speak before, and its row is read back.
    return figures_of_file(file_of("outages", number), least=3 * bots, tell=tell, name=name, idle=IDLE)


async def _first_beats(fleet: Fleet) -> None:
    await fleet.all_heard(within_s=GIVEN_UP_S)


async def _go_through(outage: Outage, fleet: Fleet, minutes: tuple[float, ...], scale: Scale) -> list[Figure]:
    figures = []
    for each in minutes:
        what = f"{outage.name} for {each:g} min"
        scale.say(f"{what}: away")
        await outage.begin(fleet)
        await asyncio.sleep(60 * each)
        await outage.end(fleet)
        steady_s = await fleet.all_heard(within_s=GIVEN_UP_S)
        failed = await fleet.not_active()
        scale.say(f"{what}: steady after {steady_s:.0f} s, {failed} not active")
        figures.append(exactly(f"{what}: bots failed", failed, 0))
        figures.append(at_most(f"{what}: all heard of again", steady_s, STEADY_S, unit="s"))
    if not scale.quick:
        await asyncio.sleep(VERDICT_S)
    findings = await checkers.always(fleet.truth)
    for finding in findings:
        scale.say(f"{outage.name}: {finding}")
    figures.append(exactly(f"{outage.name}: bots failed in the end", await fleet.not_active(), 0))
    figures.append(exactly(f"{outage.name}: findings of the checkers", len(findings), 0))
    return figures
