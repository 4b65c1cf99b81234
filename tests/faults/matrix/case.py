"""One case of the matrix: a fault begins, people go on, it ends, and all must be well within a bound."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from sqlalchemy import text

from tests.faults.figures import Figure
from tests.faults.harness import checkers
from tests.faults.matrix.workload import Workload
from usher_models.errors import DatabaseUnavailable

REST_S = 60.0
ACTS_AFTER_S = 2.0
LOOK_EVERY_S = 1.0

Act = Callable[[], Awaitable[None]]


async def play(
    workload: Workload, *, name: str, begin: Act, end: Act, lasts_s: float, say: Callable[[str], None]
) -> Figure:
    """Go through it; the figure is how long it took until all was well, after it was over."""
    await begin()
    acting = asyncio.create_task(_act(workload, after_s=min(ACTS_AFTER_S, lasts_s)))
    await asyncio.sleep(lasts_s)
    await end()
    since = await _now(workload)
    took_s, findings = await _well_again(workload, acting, since)
    for finding in findings[:10]:
        say(f"{name}: {finding}")
    say(f"{name}: {'not well' if findings else 'well'} {took_s:.0f} s after it")
    ok = not findings and took_s <= REST_S
    return Figure(name=name, value=round(took_s, 1), bound=f"≤ {REST_S:g}, nothing amiss", ok=ok, unit="s")


async def settled(workload: Workload, *, within_s: float) -> None:
    """Return when nothing is amiss before anything has been broken. Raises AssertionError with what is."""
    _, findings = await _well_again(
        workload, asyncio.create_task(asyncio.sleep(0)), await _now(workload), within_s=within_s
    )
    assert not findings, findings


async def _act(workload: Workload, *, after_s: float) -> None:
    await asyncio.sleep(after_s)
    await workload.act()


async def _now(workload: Workload) -> Any:
    while True:
        try:
            async with workload.installation.truth.transaction() as connection:
                return await connection.scalar(text("SELECT now()"))
        except DatabaseUnavailable:
            await asyncio.sleep(LOOK_EVERY_S)


async def _well_again(
    workload: Workload, acting: asyncio.Task[None], since: Any, *, within_s: float = REST_S
) -> tuple[float, list[str]]:
    """Seconds until nothing is amiss, and what is when the time is over."""
    began = time.monotonic()
    while True:
        findings = await _amiss(workload, acting, since)
        took_s = time.monotonic() - began
        if not findings or took_s > within_s:
            break
        await asyncio.sleep(LOOK_EVERY_S)
    acting.cancel()
    with suppress(asyncio.CancelledError):
        await acting
    return took_s, findings


async def _amiss(workload: Workload, acting: asyncio.Task[None], since: Any) -> list[str]:
    try:
        states = await workload.states(since)
        healthy = frozenset(
            states[life.native_id].connection_id for life in workload.living if life.native_id in states
        )
        installation = workload.installation
        fleet = checkers.Fleet(
            database=installation.truth, api=installation.api, namespace=installation.namespace, healthy=healthy
        )
        unanswered = [] if acting.done() else ["people still wait for an answer"]
        return [*unanswered, *workload.people.unanswered, *workload.amiss(states), *await checkers.quiet(fleet)]
    except DatabaseUnavailable:
        return ["the database does not answer the checkers"]
