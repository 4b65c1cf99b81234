"""Chaos: whatever Usher needs goes wrong in each of five ways, with live bots, commands and requests in flight.

{Postgres, Redis, API server, callback service, DNS, operator} times {refused, half-open, 2 s slow, restarted, 30 s
away, 3 min away}: six installations side by side, each with stores, `serve`, `operate` and bots of its own. In each,
one thing is taken through its faults, in the seed's order. What a fault means for a thing is said in `matrix/`. The
three minutes are a run of their own, `chaos_long`.

Two seconds into each fault, people tell four bots another language, send two away and ask for four more, half of it
over REST. When it is over, all must be well within 60 s: no healthy bot failed, every bot heard of again, every command
obeyed, every request with its Job and its bot in the meeting, and the checkers content.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from dev.cluster import bare
from dev.machine.progress import Progress
from tests.faults.figures import Figure, Scale, exactly
from tests.faults.harness.api import Api
from tests.faults.harness.installation import FOLDER, HOST, Installation, Plot, a_ground
from tests.faults.harness.kubelet import a_node
from tests.faults.harness.names import Resolver, asking_only
from tests.faults.history.observers import Observers, file_of, observing
from tests.faults.history.recorder import Recorder
from tests.faults.history.report import figures_of_file
from tests.faults.matrix import api_server, callbacks, case, dns, operator, postgres, redis
from tests.faults.matrix.outage import LASTS_S, Breakable, Fault
from tests.faults.matrix.workload import CAP, PATIENCE_S, STAYS_S, USERS, Workload
from tests.faults.soaking.people import People, some_people
from tests.load.botswarm import Script

THINGS = ("Postgres", "Redis", "API server", "callback service", "DNS", "operator")
FIRST_GROUND = 1
RESOLVER = "127.0.0.153"
NAMES = {
    "postgres": "postgres.usher.test",
    "redis": "redis.usher.test",
    # One that the certificate of the API server knows.
    "api_server": "kubernetes.default.svc",
}
QUICK_LASTS_S = 6.0
QUICK_FAULTS = (Fault.REFUSED, Fault.HALF_OPEN, Fault.SLOW, Fault.RESTART)
SETTLED_S = 90.0
LONGEST_WAIT_S = 6.0
# What is done and seen at least where sixteen bots come to their meetings and one thing goes wrong.
OPERATIONS = 300

# Short enough that bots fail within half a minute of silence, were nothing credited or held.
CLOCKS = {
    "USHER_HEARTBEAT_INTERVAL_S": "5",
    "USHER_HEARTBEAT_TIMEOUT_S": "20",
    "USHER_BROWNOUT_SMALL_FLEET_S": "0",
    "USHER_STOPPING_TIMEOUT_S": "60",
    "USHER_LEAVE_GRACE_S": "20",
    "USHER_TERMINATION_GRACE_S": "10",
    "USHER_RECONCILE_INTERVAL_S": "4",
    "USHER_ORPHAN_GRACE_S": "10",
}


@dataclass(frozen=True, kw_only=True)
class Stand:
    """One thing on its installation, and the order in which it goes wrong."""

    thing: str
    breakable: Breakable
    workload: Workload
    observers: Observers
    faults: tuple[Fault, ...]

    def shares(self, fault: Fault) -> bool:
        """Whether that fault is everybody's."""
        return self.thing == "API server" and fault is Fault.RESTART


async def run(scale: Scale) -> list[Figure]:
    """Every case but the long ones."""
    return await matrix(scale, [fault for fault in Fault if fault is not Fault.AWAY_3_MIN])


async def matrix(scale: Scale, faults: Sequence[Fault]) -> list[Figure]:
    """Each of those faults of each thing, the installations side by side."""
    await asyncio.to_thread(bare.up, bare.load(), progress=Progress())
    dice = random.Random(f"chaos {scale.seed}")
    things = dice.sample(THINGS, 1) if scale.quick else list(THINGS)
    orders = {thing: _order(faults, scale, dice) for thing in things}
    played = await _played(orders, scale)
    cases = exactly("cases played", len(played), len(things) * (1 if scale.quick else len(faults)))
    histories = await asyncio.gather(*(asyncio.to_thread(_history, thing, scale) for thing in things))
    return [*played, cases, *(figure for each in histories for figure in each)]


def _history(thing: str, scale: Scale) -> list[Figure]:
    """What everybody saw on the installation of that thing, checked by itself."""
    name = f"history of {thing}"

    def tell(sentence: str) -> None:
        scale.say(f"{name}: {sentence}")

    return figures_of_file(_file(thing), least=OPERATIONS, tell=tell, name=name)


def _file(thing: str) -> Path:
    return file_of("chaos", FIRST_GROUND + THINGS.index(thing))


async def _played(orders: Mapping[str, tuple[Fault, ...]], scale: Scale) -> list[Figure]:
    """Each thing's faults in their order, and then the rest of its history."""
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(Api.connect(bare.load()))
        await stack.enter_async_context(a_node(api))
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        stands = []
        for thing, faults in orders.items():
            stands.append(await stack.enter_async_context(_a_stand(thing, api, session, scale, faults=faults)))
            scale.say(f"the installation of {thing} is there")
        figures = await asyncio.gather(*(_go_through(stand, scale) for stand in stands))
        # It is everybody's: nobody else's figure shall hold it.
        last = [await _play(stand, fault, scale) for stand in stands for fault in stand.faults if stand.shares(fault)]
        await asyncio.gather(*(stand.observers.finish() for stand in stands))
    return [figure for each in figures for figure in each] + last


def _order(faults: Sequence[Fault], scale: Scale, dice: random.Random) -> tuple[Fault, ...]:
    return tuple(dice.sample(QUICK_FAULTS, 1) if scale.quick else dice.sample(faults, len(faults)))


@asynccontextmanager
async def _a_stand(
    thing: str, api: Api, session: aiohttp.ClientSession, scale: Scale, *, faults: tuple[Fault, ...]
) -> AsyncIterator[Stand]:
    async with AsyncExitStack() as stack:
        resolver = await stack.enter_async_context(Resolver.at(RESOLVER)) if thing == "DNS" else None
        recorder = stack.enter_context(Recorder.recording(_file(thing), run=f"chaos, {thing}", seed=scale.seed))
        installation = await stack.enter_async_context(a_ground(api, _plot(thing, scale, recorder)))
        persons = await some_people(installation.truth, USERS, cap=CAP)
        people = People(installation, persons, session, patience_s=PATIENCE_S, recorder=recorder)
        observers = await stack.enter_async_context(observing(people, cap=CAP, seed=scale.seed))
        workload = await Workload.settle(people, seed=scale.seed)
        breakable = dns.Names(installation, resolver) if resolver else BREAKABLES[thing](installation)
        yield Stand(thing=thing, breakable=breakable, workload=workload, observers=observers, faults=faults)


BREAKABLES: dict[str, Callable[[Installation], Breakable]] = {
    "Postgres": postgres.of,
    "Redis": redis.of,
    "API server": api_server.ApiServer,
    "callback service": callbacks.Callbacks,
    "operator": operator.Operator,
}


def _plot(thing: str, scale: Scale, recorder: Recorder) -> Plot:
    number = FIRST_GROUND + THINGS.index(thing)

    def script_of(_: str) -> Script:
        return Script(lobby_s=1, meeting_s=STAYS_S, leave_s=1)

    named = thing == "DNS"
    return Plot(
        number=number,
        name="chaos",
        seed=scale.seed,
        clocks=CLOCKS,
        longest_wait_s=LONGEST_WAIT_S,
        script_of=script_of,
        host_of=NAMES.__getitem__ if named else lambda _: HOST,
        prefix=asking_only(RESOLVER, folder=FOLDER / f"chaos-{number}") if named else (),
        recorder=recorder,
    )


async def _go_through(stand: Stand, scale: Scale) -> list[Figure]:
    await case.settled(stand.workload, within_s=SETTLED_S)
    scale.say(f"{stand.thing}: all bots are in their meetings")
    return [await _play(stand, fault, scale) for fault in stand.faults if not stand.shares(fault)]


async def _play(stand: Stand, fault: Fault, scale: Scale) -> Figure:
    name = f"{stand.thing} {fault}"
    scale.say(f"{name}: begins")
    return await case.play(
        stand.workload,
        name=name,
        begin=lambda: stand.breakable.begin(fault),
        end=lambda: stand.breakable.end(fault),
        lasts_s=min(LASTS_S[fault], QUICK_LASTS_S) if scale.quick else LASTS_S[fault],
        say=scale.say,
    )
