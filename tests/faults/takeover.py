"""Takeover: the operate that leads is killed, frozen or stopped again and again; how soon the other one acts.

Two `usher operate` run on one installation, with the default clocks, and BotRequests keep coming. Their metrics say
which of them leads. A crash is SIGKILL, a freeze SIGSTOP until the other has swept, a stop SIGTERM as in a rolling
update. What counts is the first Job for a BotRequest that was created after the strike, as a watch of the run's own saw
it, and the end of the other's first sweep. In the end no act may have been done twice.
"""

import asyncio
import itertools
import random
import signal
import statistics
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from dev.cluster import bare
from dev.machine.progress import Progress
from tests.faults import page
from tests.faults.figures import Figure, Scale, at_least, at_most, counted, exactly
from tests.faults.harness import checkers
from tests.faults.harness.api import REQUESTS, Api
from tests.faults.harness.beside import beside
from tests.faults.harness.installation import FOLDER, Installation, Plot, a_ground
from tests.faults.harness.kubelet import a_node
from tests.faults.harness.witness import Witness
from tests.faults.soaking.people import some_people
from tests.faults.watch_freeze import a_request
from tests.load.botswarm import Script
from tests.load.plane import UsherProcess

# Fourteen minutes.
LONG = True
GROUND = 11
OPERATE_PORT = 18400 + 10 * GROUND + 3
TIMES = 20
STANDING, QUICK_STANDING = 200, 20
ASK_EVERY_S = 0.4
STANDING_WITHIN_S = 300.0
REST_WITHIN_S = 60.0
AT_ONCE = 16
# What a sweep may last by itself.
SWEEP_S = 10
USERS = 20
CLOCKS = {"USHER_HEARTBEAT_INTERVAL_S": "30"}
# Of the bots that come meanwhile; those that were there before stay.
MEETING_S = 3.0

_TWICE = text("""
SELECT count(*) FROM (SELECT FROM usher.transitions GROUP BY meeting_id, to_status HAVING count(*) > 1) AS twice
""")
_ACTIVE = text("SELECT count(*) FROM meetings WHERE status = 'active'")
_COMPLETED = text("SELECT count(*) FROM meetings WHERE status = 'completed'")
_FAILED = text("SELECT count(*) FROM meetings WHERE status = 'failed'")
_ROWS = text("SELECT count(*) FROM usher.bots")


@dataclass(frozen=True, kw_only=True)
class Strike:
    """What happens to the leader, and how soon the other must act then: always, and in half of the cases."""

    name: str
    signal: signal.Signals
    bound_s: float
    half_s: float


CRASH = Strike(name="crash", signal=signal.SIGKILL, bound_s=5, half_s=2)
FREEZE = Strike(name="freeze", signal=signal.SIGSTOP, bound_s=20, half_s=17)
STOP = Strike(name="stop", signal=signal.SIGTERM, bound_s=5, half_s=2)


@dataclass
class Took:
    """Seconds from a strike to the other's first Job and to the end of its first sweep."""

    job_s: list[float] = field(default_factory=list)
    sweep_s: list[float] = field(default_factory=list)


class Pair:
    """Two processes of which one leads."""

    def __init__(self, processes: Sequence[UsherProcess], session: aiohttp.ClientSession) -> None:
        self._processes = processes
        self._session = session

    async def leader(self, *, within_s: float = 60) -> tuple[UsherProcess, UsherProcess]:
        """The one that leads and the one that stands by, once there is one of each."""
        async with asyncio.timeout(within_s):
            while True:
                states = [await self._metric(process, "usher_leader") for process in self._processes]
                if sorted(states) == [0, 1]:
                    leads = states.index(1)
                    return self._processes[leads], self._processes[1 - leads]
                await asyncio.sleep(0.1)

    async def stands_by(self, process: UsherProcess, *, within_s: float = 60) -> None:
        """Return when the process is ready and says that it stands by."""
        url = f"http://127.0.0.1:{process.health_port}/readyz"
        async with asyncio.timeout(within_s):
            while True:
                try:
                    async with self._session.get(url) as answer:
                        if (answer.status, (await answer.json())["status"]) == (200, "standby"):
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.1)

    async def swept(self, process: UsherProcess, *, within_s: float) -> float:
        """When the process has ended its first sweep as the leader; infinite if not in time."""
        before = await self._metric(process, "usher_last_sweep_timestamp_seconds")
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if await self._metric(process, "usher_last_sweep_timestamp_seconds") > before:
                return time.monotonic()
            await asyncio.sleep(0.05)
        return float("inf")

    async def _metric(self, process: UsherProcess, name: str) -> float:
        """0 also if the process cannot be asked."""
        url = f"http://127.0.0.1:{process.health_port}/metrics"
        try:
            async with self._session.get(url, timeout=aiohttp.ClientTimeout(total=2)) as answer:
                families = text_string_to_metric_families(await answer.text())
        except (aiohttp.ClientError, TimeoutError):
            return 0.0
        return next((sample.value for family in families for sample in family.samples if sample.name == name), 0.0)


class Asker:
    """A person who asks for one bot after another, whatever happens."""

    def __init__(self, installation: Installation, users: Sequence[int]) -> None:
        self._installation = installation
        self._users = itertools.cycle(users)
        self.asked: dict[str, float] = {}
        """When each BotRequest was sent (monotonic), by its name."""
        self._watched: list[set[str]] = []

    def from_now_on(self) -> set[str]:
        """The names of the BotRequests that will be sent; it grows."""
        names: set[str] = set()
        self._watched.append(names)
        return names

    async def ask(self, name: str) -> None:
        """Create one BotRequest."""
        for names in self._watched:
            names.add(name)
        self.asked[name] = time.monotonic()
        body = a_request(name, next(self._users))
        await self._installation.api.make(REQUESTS.format(self._installation.namespace), body)

    async def for_ever(self) -> None:
        """One every `ASK_EVERY_S`."""
        for number in itertools.count():
            await self.ask(f"short-{number}")
            await asyncio.sleep(ASK_EVERY_S)


async def run(scale: Scale) -> list[Figure]:
    """Strike the leader, see who acts, and count what was done twice."""
    times = scale.times or TIMES
    strikes = [CRASH, CRASH, FREEZE] if scale.quick else [CRASH] * times + [FREEZE] * times + [STOP] * times
    dice = random.Random(scale.seed)
    dice.shuffle(strikes)
    standing = QUICK_STANDING if scale.quick else STANDING
    took: dict[Strike, Took] = defaultdict(Took)
    async with _two(scale) as (installation, pair, witness):
        people = await some_people(installation.truth, USERS, cap=10_000)
        asker = Asker(installation, [person.id for person in people])
        await _make_standing(installation, asker, standing)
        scale.say(f"{standing} bots are in their meetings")
        async with beside(asker=asker.for_ever()):
            for number, strike in enumerate(strikes, 1):
                await asyncio.sleep(dice.uniform(0.5, 1.5 if scale.quick else 4))
                job_s, sweep_s = await _strike(strike, pair, witness, asker)
                took[strike].job_s.append(job_s)
                took[strike].sweep_s.append(sweep_s)
                scale.say(
                    f"{number}/{len(strikes)} {strike.name}: a Job after {job_s:.2f} s, a sweep after {sweep_s:.2f} s"
                )
        left = await _at_rest(installation, asker, standing)
        figures = await _figures(installation, witness, took, asked=len(asker.asked), left=left)
    if not scale.quick:
        page.write("evidence/faults.md", "takeover", table(took, standing=standing))
    return figures


@asynccontextmanager
async def _two(scale: Scale) -> AsyncIterator[tuple[Installation, Pair, Witness]]:
    await asyncio.to_thread(bare.up, bare.load(), progress=Progress())
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(Api.connect(bare.load()))
        await stack.enter_async_context(a_node(api))
        plot = Plot(
            number=GROUND,
            name="takeover",
            seed=scale.seed,
            clocks=CLOCKS,
            script_of=lambda native_id: Script(
                lobby_s=0.3, meeting_s=7200 if native_id.startswith("standing") else MEETING_S, leave_s=0.2
            ),
        )
        installation = await stack.enter_async_context(a_ground(api, plot))
        first = installation.operate
        second = replace(
            first,
            log=FOLDER / f"takeover-{GROUND}" / "operate-2.log",
            health_port=OPERATE_PORT,
            settings=dict(first.settings) | {"USHER_OPERATE_PORT": str(OPERATE_PORT)},
            process=None,
        )
        await stack.enter_async_context(second.running())
        session = await stack.enter_async_context(aiohttp.ClientSession())
        witness = await stack.enter_async_context(Witness(api, installation.namespace).watching())
        yield installation, Pair([first, second], session), witness
        await second.stop(signal.SIGKILL)


async def _make_standing(installation: Installation, asker: Asker, count: int) -> None:
    turns = asyncio.Semaphore(AT_ONCE)

    async def ask(number: int) -> None:
        async with turns:
            await asker.ask(f"standing-{number}")

    await asyncio.gather(*map(ask, range(count)))
    async with asyncio.timeout(STANDING_WITHIN_S):
        while await _scalar(installation, _ACTIVE) < count:  # noqa: ASYNC110 - polled
            await asyncio.sleep(0.5)


async def _strike(strike: Strike, pair: Pair, witness: Witness, asker: Asker) -> tuple[float, float]:
    leader, other = await pair.leader()
    await pair.stands_by(other)
    assert leader.process is not None
    within_s = 3 * strike.bound_s
    struck_at = time.monotonic()
    leader.process.send_signal(strike.signal)
    names = asker.from_now_on()
    job_at, sweep_at = await asyncio.gather(
        witness.first_job(names, within_s=within_s), pair.swept(other, within_s=within_s)
    )
    if strike is FREEZE:
        leader.process.send_signal(signal.SIGCONT)
    else:
        await leader.process.wait()
        await leader.start()
    await pair.stands_by(leader)
    return job_at - struck_at, sweep_at - struck_at


async def _at_rest(installation: Installation, asker: Asker, standing: int) -> int:
    """How many of the short meetings are not completed, after some time to end."""
    short = len(asker.asked) - standing
    deadline = time.monotonic() + REST_WITHIN_S
    while True:
        missing = short - await _scalar(installation, _COMPLETED)
        if missing == 0 or time.monotonic() > deadline:
            return missing
        await asyncio.sleep(0.5)


async def _figures(
    installation: Installation, witness: Witness, took: dict[Strike, Took], *, asked: int, left: int
) -> list[Figure]:
    times = [figure for strike in (CRASH, FREEZE, STOP) if strike in took for figure in _times(strike, took[strike])]
    return [
        *times,
        at_least("BotRequests", asked, 10),
        exactly("BotRequests without a row of their own", asked - await _scalar(installation, _ROWS), 0),
        exactly("short meetings that were not completed", left, 0),
        exactly("meetings that failed", await _scalar(installation, _FAILED), 0),
        at_least("Events seen", len(witness.events), 10),
        exactly("BotRequests with two Jobs", witness.doubled_jobs(), 0),
        exactly("transitions done twice", await _scalar(installation, _TWICE), 0),
        exactly("Events of one cause beyond the first", witness.doubled_events(), 0),
        exactly("findings of the checkers", len(await checkers.always(installation.truth)), 0),
    ]


def _times(strike: Strike, took: Took) -> list[Figure]:
    job, sweep = f"{strike.name} to the next Job", f"{strike.name} to the next sweep"
    return [
        counted(f"times: {strike.name}", len(took.job_s)),
        at_most(f"{job}, half within", _half(took.job_s), strike.half_s, unit="s"),
        at_most(f"{job}, longest", _longest(took.job_s), strike.bound_s, unit="s"),
        counted(f"{sweep}, half within", _half(took.sweep_s), unit="s"),
        at_most(f"{sweep}, longest", _longest(took.sweep_s), strike.bound_s + SWEEP_S, unit="s"),
    ]


def _half(values: Sequence[float]) -> float:
    return round(statistics.median(values), 2)


def _longest(values: Sequence[float]) -> float:
    return round(max(values), 2)


def table(took: dict[Strike, Took], *, standing: int) -> str:
    """What was measured, as the page shows it."""
    lines = [
        f"With {standing:,} bots in their meetings:",
        "",
        "| leader | times | next Job, half within | bound | next Job, longest | bound | next sweep, longest |",
        "|---|---|---|---|---|---|---|",
    ]
    for strike in (CRASH, FREEZE, STOP):
        jobs, sweeps = took[strike].job_s, took[strike].sweep_s
        lines.append(
            f"| {strike.name} ({strike.signal.name}) | {len(jobs)} | {_half(jobs):.1f} s | {strike.half_s:g} s"
            f" | {_longest(jobs):.1f} s | {strike.bound_s:g} s | {_longest(sweeps):.1f} s |"
        )
    return "\n".join(lines)


async def _scalar(installation: Installation, question: object) -> int:
    async with installation.truth.transaction() as connection:
        return int(await connection.scalar(question))  # type: ignore[call-overload]
