"""Every interleaving of row, Job, BotRequest, bots and messages, with each kind of fault, up to a bound.

The production functions run against a model of the stores (`tests/model`). Each search goes breadth-first, so what it
has seen is every history up to the depth it reached. As many searches go on at once as there are cores, each in a
process of its own.
"""

import asyncio
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

from tests.faults.figures import Figure, Scale, at_least, exactly
from tests.model.explorer import Finding, explore
from tests.model.steps import Bounds
from tests.model.system import Budget

SEARCHES: dict[str, Bounds] = {
    "no fault, everything at once": Bounds(mail=1),
    "two callbacks under way": Bounds(mail=2),
    "callbacks come twice": Bounds(mail=1, callbacks=2, faults=Budget(copies=1)),
    "a bot freezes": Bounds(mail=1, faults=Budget(freezes=1)),
    "a bot crashes": Bounds(mail=1, faults=Budget(deaths=1)),
    "the BotRequest is deleted": Bounds(mail=1, faults=Budget(deletions=1)),
    "a question to a store fails, or its answer is lost": Bounds(mail=1, faults=Budget(troubles=1)),
    "operator and serve crash": Bounds(mail=1, faults=Budget(crashes=2, troubles=1)),
    "a node is lost and returns": Bounds(mail=1, pods=2, faults=Budget(partitions=1)),
    "two operators": Bounds(mail=1, operators=2),
    "two BotRequests for one slot": Bounds(mail=1, meetings=2, operators=2),
}
QUICK_S, DEEP_S = 1.0, 40.0


async def run(scale: Scale) -> list[Figure]:
    """Search each for a while; a broken promise is told with the history that leads to it."""
    # Not forked: this process has threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as processes:
        found = await asyncio.gather(*(_search(processes, name, scale) for name in SEARCHES))
    return [
        at_least("states explored", sum(each.states for each in found), 5_000 if scale.quick else 1_000_000),
        at_least("depth of the shallowest search, steps", min(each.depth for each in found), 5),
        exactly("promises broken", sum(bool(each.broken) for each in found), 0),
    ]


async def _search(processes: ProcessPoolExecutor, name: str, scale: Scale) -> Finding:
    within_s = QUICK_S if scale.quick else DEEP_S
    found = await asyncio.get_running_loop().run_in_executor(processes, _explored, SEARCHES[name], within_s)
    scale.say(f"{name}: {found}")
    return found


def _explored(bounds: Bounds, within_s: float) -> Finding:
    return explore(bounds, within_s=within_s)
