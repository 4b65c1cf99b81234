"""Watch freeze: the watches of operate go silent and nobody tells it; a new BotRequest still has its Job in time.

The proxy before the API server drops what comes on the watch connections that there are, and on no other. The watch
believes that nothing happens. What must help is the reconciler's own look.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from dev.cluster import bare
from dev.machine.progress import Progress
from tests.faults.figures import Figure, Scale, at_least, at_most, exactly
from tests.faults.harness import checkers
from tests.faults.harness.api import REQUESTS, Api, Json
from tests.faults.harness.api_proxy import ApiProxy
from tests.faults.harness.installation import Installation, Plot, a_ground
from tests.faults.harness.kubelet import a_node
from tests.faults.soaking.people import PLATFORM, some_people
from tests.load.botswarm import Script

GROUND = 8
REQUESTS_COUNT = 5
WITHIN_S = 100.0
# The interval is the default; bots beat often, so that the run ends soon.
CLOCKS = {"USHER_HEARTBEAT_INTERVAL_S": "5", "USHER_HEARTBEAT_TIMEOUT_S": "20", "USHER_BROWNOUT_SMALL_FLEET_S": "0"}


@asynccontextmanager
async def behind_a_proxy(
    scale: Scale, *, number: int, name: str, clocks: dict[str, str]
) -> AsyncIterator[tuple[Installation, ApiProxy]]:
    """A installation whose `operate` and `serve` reach the API server by a proxy that understands HTTP."""
    await asyncio.to_thread(bare.up, bare.load(), progress=Progress())
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(Api.connect(bare.load()))
        await stack.enter_async_context(a_node(api))
        proxy = ApiProxy(bare.load(), random.Random(f"{name} {scale.seed}"))
        await stack.enter_async_context(proxy.running())
        plot = Plot(
            number=number,
            name=name,
            seed=scale.seed,
            clocks=clocks,
            script_of=lambda _: Script(lobby_s=0.5, meeting_s=7200, leave_s=0.5),
            api_url=proxy.url,
        )
        yield await stack.enter_async_context(a_ground(api, plot)), proxy


async def run(scale: Scale) -> list[Figure]:
    """See that the watch works, silence it, and ask for bots."""
    async with behind_a_proxy(scale, number=GROUND, name="freeze", clocks=CLOCKS) as (installation, proxy):
        (person,) = await some_people(installation.truth, 1, cap=100)
        with_watch_s = await _longest(installation, person.id, "watched")
        proxy.frozen = True
        scale.say(f"with its watch it took {with_watch_s:.1f} s; the watches are silent now")
        without_s = await _longest(installation, person.id, "unwatched")
        findings = await checkers.always(installation.truth)
        return [
            at_most("BotRequest to Job with the watch", round(with_watch_s, 1), WITHIN_S, unit="s"),
            at_most("BotRequest to Job without it, longest", round(without_s, 1), WITHIN_S, unit="s"),
            at_least("pieces of watches that were dropped", proxy.dropped, 1),
            exactly("findings of the checkers", len(findings), 0),
        ]


async def _longest(installation: Installation, user_id: int, name: str) -> float:
    """Ask for some bots, one after another; the longest that one waited for its Job."""
    took = []
    for number in range(REQUESTS_COUNT):
        body = a_request(f"{name}-{number}", user_id)
        await installation.api.make(REQUESTS.format(installation.namespace), body)
        took.append(await _job_there(installation, f"{name}-{number}"))
    return max(took)


def a_request(name: str, user_id: int) -> Json:
    """A BotRequest that nobody sends away."""
    spec = {"userId": user_id, "platform": PLATFORM, "nativeMeetingId": name}
    return {"apiVersion": "usher.dev/v1alpha1", "kind": "BotRequest", "metadata": {"name": name}, "spec": spec}


async def _job_there(installation: Installation, name: str) -> float:
    began = time.monotonic()
    query = "SELECT count(*) FROM usher.bots WHERE request_name = %s AND job_created_at IS NOT NULL"
    while time.monotonic() - began < 2 * WITHIN_S:
        async with installation.truth.transaction() as connection:
            if (await connection.exec_driver_sql(query, (name,))).scalar_one():
                break
        await asyncio.sleep(0.1)
    return time.monotonic() - began
