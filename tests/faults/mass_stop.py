"""Mass stop: 2,000 bots are stopped at 50/s while one API write in twenty fails or times out.

Bots, Jobs and pods are made undisturbed; then every twentieth write of `operate` and `serve` fails, in one of four
ways: it is refused, it is broken off after it was carried out, it gets no answer and is carried out, or is not. In the
end no Job runs, no pod, and every row is terminal, within five minutes of the first stop.
"""

import asyncio
import time

from sqlalchemy import text

from tests.faults.figures import Figure, Scale, at_least, at_most, counted, exactly
from tests.faults.harness import checkers
from tests.faults.harness.api import JOBS, MERGE, PODS, REQUESTS
from tests.faults.harness.installation import Installation
from tests.faults.soaking.people import some_people
from tests.faults.watch_freeze import a_request, behind_a_proxy

GROUND = 9
BOTS, QUICK_BOTS = 2_000, 60
USERS = 20
FAILING = 0.05
STOPS_PER_S = 50.0
WITHIN_S = 300.0
MADE_WITHIN_S = 300.0
AT_ONCE = 16
# Everybody's beat is the default; only the number of a user's bots is not.
CLOCKS = {"USHER_HEARTBEAT_INTERVAL_S": "30"}

_LEFT = text("""
SELECT count(*) FILTER (WHERE b.ended_at IS NULL) AS live,
       count(*) FILTER (WHERE m.status = 'active') AS active,
       count(*) FILTER (WHERE b.ended_at IS NOT NULL AND (m.status, b.reason) <> ('completed', 'stopped')) AS otherwise
FROM usher.bots b JOIN meetings m ON m.id = b.meeting_id
""")


async def run(scale: Scale) -> list[Figure]:
    """Make them, stop them, wait."""
    count = QUICK_BOTS if scale.quick else BOTS
    async with behind_a_proxy(scale, number=GROUND, name="stop", clocks=CLOCKS) as (installation, proxy):
        made_s = await _make(installation, count)
        scale.say(f"{count} bots are in their meetings after {made_s:.0f} s")
        proxy.failing, proxy.writes = FAILING, 0
        began = time.monotonic()
        stopping = asyncio.create_task(_stop_all(installation, count))
        left = await _wait(installation, began)
        await stopping
        took_s = time.monotonic() - began
        _, _, otherwise = await _rows(installation)
        return [
            counted("bots stopped", count),
            at_least("writes that failed", proxy.failed.total(), 1),
            *(counted(f"writes that failed: {how}", failed) for how, failed in sorted(proxy.failed.items())),
            counted("writes in all", proxy.writes),
            at_most("all at rest after", round(took_s, 1), WITHIN_S, unit="s"),
            *(exactly(f"{what} left", number, 0) for what, number in left.items()),
            exactly("ended otherwise than stopped", otherwise, 0),
            exactly("findings of the checkers", len(await checkers.always(installation.truth)), 0),
            counted("ends that BotRequests do not show yet", await _unshown(installation)),
        ]


async def _make(installation: Installation, count: int) -> float:
    """BotRequests, until each of their bots is in its meeting; how long it took."""
    began = time.monotonic()
    people = await some_people(installation.truth, USERS, cap=count)
    turns = asyncio.Semaphore(AT_ONCE)

    async def ask(number: int) -> None:
        async with turns:
            body = a_request(f"stop-{number}", people[number % USERS].id)
            await installation.api.make(REQUESTS.format(installation.namespace), body)

    await asyncio.gather(*map(ask, range(count)))
    active = 0
    while active < count:
        assert time.monotonic() - began < MADE_WITHIN_S, f"only {active} of {count} bots came into their meetings"
        await asyncio.sleep(1)
        _, active, _ = await _rows(installation)
    return time.monotonic() - began


async def _stop_all(installation: Installation, count: int) -> None:
    """Ask one after another to leave, as a person does, at the rate."""
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            await asyncio.sleep(max(0.0, began + number / STOPS_PER_S - time.monotonic()))
            path = f"{REQUESTS.format(installation.namespace)}/stop-{number}"
            wanted = {"spec": {"desiredState": "Left"}}
            group.create_task(installation.api.persist("PATCH", path, wanted, kind=MERGE))


async def _wait(installation: Installation, began: float) -> dict[str, int]:
    """Until nothing is left, or the time is over; what is left."""
    while True:
        await asyncio.sleep(2)
        live, _, _ = await _rows(installation)
        left = {"live rows": live} | (await _running(installation) if not live else {"running Jobs": 1})
        if not any(left.values()) or time.monotonic() - began > WITHIN_S:
            return left


async def _running(installation: Installation) -> dict[str, int]:
    jobs = await installation.api.items(JOBS.format(installation.namespace))
    pods = await installation.api.items(PODS.format(installation.namespace))
    return {
        "running Jobs": sum(not checkers.ended(job) for job in jobs),
        "running pods": sum(checkers.runs(pod) for pod in pods),
    }


async def _unshown(installation: Installation) -> int:
    requests = await installation.api.items(REQUESTS.format(installation.namespace))
    return sum((request.get("status") or {}).get("phase") != "completed" for request in requests)


async def _rows(installation: Installation) -> tuple[int, int, int]:
    """How many live, how many are in their meetings, and how many ended otherwise than they should."""
    async with installation.truth.transaction() as connection:
        row = (await connection.execute(_LEFT)).one()
        return row.live, row.active, row.otherwise
