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
from tests.faults.rig import checkers
from tests.faults.rig.api import Api
from tests.faults.rig.proxy import Way
from tests.faults.rig.world import World, a_world

LONG = True
MINUTES: tuple[float, ...] = (3, 5, 10)
BOTS = 1_000
STEADY_S = 60.0
VERDICT_S = 130.0
QUICK_MINUTES: tuple[float, ...] = (0.25,)
QUICK_BOTS = 50
GIVEN_UP_S = 300.0

Act = Callable[[World], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Outage:
    """Something that goes away, and how it comes back."""

    name: str
    begin: Act
    end: Act


async def _kill_serve(world: World) -> None:
    await world.serve.stop(signal.SIGKILL)


async def _kill_postgres(world: World) -> None:
    await asyncio.to_thread(world.stores.kill_postgres)


async def _start_postgres(world: World) -> None:
    await asyncio.to_thread(world.stores.start_postgres)


async def _kill_redis(world: World) -> None:
    await asyncio.to_thread(world.stores.kill_redis)


async def _start_redis(world: World) -> None:
    await asyncio.to_thread(world.stores.start_redis)


OUTAGES = (
    Outage(name="serve killed", begin=_kill_serve, end=lambda world: world.serve.start()),
    Outage(
        name="callbacks half-open",
        begin=lambda world: world.callbacks.turn(Way.HALF_OPEN),
        end=lambda world: world.callbacks.turn(Way.OPEN),
    ),
    Outage(name="Postgres killed", begin=_kill_postgres, end=_start_postgres),
    Outage(name="Redis killed", begin=_kill_redis, end=_start_redis),
    Outage(
        name="API server refusing",
        begin=lambda world: world.api_server.turn(Way.REFUSED),
        end=lambda world: world.api_server.turn(Way.OPEN),
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
        worlds = []
        for number in range(len(OUTAGES)):
            worlds.append(await stack.enter_async_context(a_world(api, number=number, bots=bots, seed=stamp)))
            scale.say(f"world {number + 1} of {len(OUTAGES)} is there: {bots} bots")
        await asyncio.gather(*(_first_beats(world) for world in worlds))
        scale.say("all of them beat")
        pairs = zip(OUTAGES, worlds, strict=True)
        figures = await asyncio.gather(*(_go_through(outage, world, minutes, scale) for outage, world in pairs))
    return [figure for each in figures for figure in each]


async def _first_beats(world: World) -> None:
    await world.all_heard(within_s=GIVEN_UP_S)


async def _go_through(outage: Outage, world: World, minutes: tuple[float, ...], scale: Scale) -> list[Figure]:
    figures = []
    for each in minutes:
        what = f"{outage.name} for {each:g} min"
        scale.say(f"{what}: away")
        await outage.begin(world)
        await asyncio.sleep(60 * each)
        await outage.end(world)
        steady_s = await world.all_heard(within_s=GIVEN_UP_S)
        failed = await world.not_active()
        scale.say(f"{what}: steady after {steady_s:.0f} s, {failed} not active")
        figures.append(exactly(f"{what}: bots failed", failed, 0))
        figures.append(at_most(f"{what}: all heard of again", steady_s, STEADY_S, unit="s"))
    if not scale.quick:
        await asyncio.sleep(VERDICT_S)
    findings = await checkers.always(world.truth)
    for finding in findings:
        scale.say(f"{outage.name}: {finding}")
    figures.append(exactly(f"{outage.name}: bots failed in the end", await world.not_active(), 0))
    figures.append(exactly(f"{outage.name}: findings of the checkers", len(findings), 0))
    return figures
