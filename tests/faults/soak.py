"""Soak: bots asked for, sent away and deleted at random while serve and operate are killed every 2 to 15 s.

For `--minutes`, requests come at 5/s, half of them over REST; one bot in ten is a bad one. Checkers look every second.
Afterwards everything must come to rest in bounded time, and each life must have ended as its kind of bot and what
people did to it allow. The plan of requests, acts and kills is the seed's.

Clocks are short (`CLOCKS`), so that a bad bot's end can be seen. Their proportions are the defaults': four beats may be
missed, and a bot that is leaving waits between two tries for a tenth of its time at most.
"""

import asyncio
import time
from contextlib import AsyncExitStack

import aiohttp

from dev.cluster import bare
from dev.machine.progress import Progress
from tests.faults.figures import Figure, Scale
from tests.faults.harness.api import Api
from tests.faults.harness.installation import Plot, a_ground
from tests.faults.harness.kubelet import a_node
from tests.faults.history.observers import file_of, observing
from tests.faults.history.recorder import Recorder
from tests.faults.history.report import figures_of_file
from tests.faults.soaking import report
from tests.faults.soaking.kills import Killer
from tests.faults.soaking.kinds import Once
from tests.faults.soaking.people import People, some_people
from tests.faults.soaking.plan import CAP, USERS, Plan, draw
from tests.faults.soaking.report import Played
from tests.faults.soaking.watching import Watcher
from tests.load.botswarm import Script
from tests.load.botswarm.bot import Bot

LONG = True
MINUTES = 10.0
MEETING_S = (2.0, 30.0)
REST_S = 131.0
KILL_EVERY_S = (2.0, 15.0)
QUICK_MINUTES = 0.13
QUICK_MEETING_S = (1.0, 4.0)
QUICK_KILL_EVERY_S = (2.0, 6.0)
QUICK_REST_S = 30.0
BEFALLS_AFTER_S = 0.5
# What people, bots, watches and receivers do and see of one request at least, those included that are refused.
OPERATIONS_PER_LIFE = 10
# A tenth of what a bot may take to leave, as with the defaults.
LONGEST_WAIT_S, QUICK_LONGEST_WAIT_S = 6.0, 1.5

CLOCKS = {
    "USHER_HEARTBEAT_INTERVAL_S": "5",
    "USHER_HEARTBEAT_TIMEOUT_S": "20",
    "USHER_BROWNOUT_SMALL_FLEET_S": "0",
    "USHER_RESERVED_TIMEOUT_S": "60",
    "USHER_STARTING_TIMEOUT_S": "60",
    "USHER_STOPPING_TIMEOUT_S": "60",
    "USHER_LEAVE_GRACE_S": "20",
    "USHER_TERMINATION_GRACE_S": "45",
    "USHER_RECONCILE_INTERVAL_S": "2",
    "USHER_ORPHAN_GRACE_S": "5",
    "USHER_BROWNOUT_LIMIT_S": "20",
    "USHER_DATABASE_POOL_SIZE": "10",
}
QUICK_CLOCKS = CLOCKS | {
    "USHER_HEARTBEAT_INTERVAL_S": "2",
    "USHER_HEARTBEAT_TIMEOUT_S": "10",
    "USHER_BROWNOUT_SMALL_FLEET_S": "0",
    "USHER_RESERVED_TIMEOUT_S": "12",
    "USHER_STOPPING_TIMEOUT_S": "15",
    "USHER_LEAVE_GRACE_S": "6",
    "USHER_TERMINATION_GRACE_S": "4",
    "USHER_RECONCILE_INTERVAL_S": "1",
    "USHER_ORPHAN_GRACE_S": "3",
    "USHER_BROWNOUT_LIMIT_S": "5",
}


async def run(scale: Scale) -> list[Figure]:
    """Play the plan of the seed, and look at what became of it and at what everybody saw of it."""
    file = file_of("soak")
    with Recorder.recording(file, run="soak", seed=scale.seed) as recorder:
        figures = await _played(scale, recorder)
    return figures + await asyncio.to_thread(
        figures_of_file, file, least=OPERATIONS_PER_LIFE * len(_plan(scale).lives), tell=scale.say
    )


async def _played(scale: Scale, recorder: Recorder) -> list[Figure]:
    plan = _plan(scale)
    await asyncio.to_thread(bare.up, bare.load(), progress=Progress())
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(Api.connect(bare.load()))
        await stack.enter_async_context(a_node(api))
        installation = await stack.enter_async_context(a_ground(api, _plot(plan, scale, recorder)))
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        people = People(installation, await some_people(installation.truth, USERS, cap=CAP), session, recorder=recorder)
        observers = await stack.enter_async_context(observing(people, cap=CAP, seed=scale.seed))
        watcher = Watcher(installation)
        await stack.enter_async_context(watcher.watching())
        killers = [Killer(installation.serve), Killer(installation.operate)]
        scale.say(f"{len(plan.lives)} requests and {sum(map(len, plan.kills.values()))} kills in {plan.seconds:.0f} s")
        await _play(plan, people, killers)
        scale.say(f"all is done to them; {len(installation.swarm.live())} bots live")
        rest_s, unrest = await watcher.rest(within_s=QUICK_REST_S if scale.quick else REST_S, say=scale.say)
        await observers.finish()
        return await report.figures(
            Played(plan=plan, people=people, killers=killers, watcher=watcher, rest_s=rest_s, unrest=unrest),
            rest_s=QUICK_REST_S if scale.quick else REST_S,
            say=scale.say,
        )


def _plan(scale: Scale) -> Plan:
    if scale.quick:
        return draw(
            scale.seed,
            seconds=60 * (scale.minutes or QUICK_MINUTES),
            meeting_s=QUICK_MEETING_S,
            kill_every_s=QUICK_KILL_EVERY_S,
            slow=False,
        )
    seconds = 60 * (scale.minutes or MINUTES)
    return draw(scale.seed, seconds=seconds, meeting_s=MEETING_S, kill_every_s=KILL_EVERY_S, slow=True)


def _plot(plan: Plan, scale: Scale, recorder: Recorder) -> Plot:
    """A installation on which each bot lives as the plan says."""

    def script_of(native_id: str) -> Script:
        life = plan.life_of(native_id)
        return life.kind.script(life.meeting_s)

    def hears(bot: Bot, event: str, native_id: str) -> None:
        if event == "joined":
            asyncio.get_running_loop().call_later(BEFALLS_AFTER_S, _befall, plan.life_of(native_id).kind.once, bot)

    clocks = QUICK_CLOCKS if scale.quick else CLOCKS
    return Plot(
        number=0,
        name="soak",
        seed=scale.seed,
        clocks=clocks,
        longest_wait_s=QUICK_LONGEST_WAIT_S if scale.quick else LONGEST_WAIT_S,
        script_of=script_of,
        hears=hears,
        recorder=recorder,
    )


def _befall(once: Once, bot: Bot) -> None:
    if once is Once.FROZEN:
        bot.frozen = True
    elif once is Once.KILLED:
        bot.dismiss("killed")


async def _play(plan: Plan, people: People, killers: list[Killer]) -> None:
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for killer in killers:
            group.create_task(killer.kill(plan.kills[killer.process.command], began=began))
        for life in plan.lives:
            group.create_task(people.live(life, began=began))
