"""Crash points: at every external write the process dies before it, after it, loses its reply or does it twice.

Each life of `crash.lives` is played once undisturbed, which shows the writes it comes to, and then once for every write
and every mode. Afterwards the system must come to rest within 30 s with every invariant holding, and the meeting must
have ended as it would have anyway. Several lives are played at once, each on a database and in a namespace of its own.
"""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from unittest.mock import patch

import aiohttp
import psycopg
from pydantic import SecretStr
from sqlalchemy import make_url

from dev.cluster import bare
from dev.machine.progress import Progress
from tests.fakes.settings import some_settings
from tests.faults import page
from tests.faults.crash.actor import PATIENCE_S, Actor, NotQuiet
from tests.faults.crash.fault_injector import FaultInjector, Mode, Point, Strike
from tests.faults.crash.lives import ALL, Life
from tests.faults.crash.site import Installation
from tests.faults.figures import Figure, Scale, at_most, exactly
from tests.faults.harness.api import Api
from tests.faults.harness.kubelet import remove_node
from tests.faults.harness.stores import Stores
from tests.load.botswarm import TokenSigner
from tests.load.botswarm.tokens import ISSUER
from tests.scenario import TABLES
from usher_models.db.engine import Database
from usher_operator.api import create_queue
from usher_operator.settings import Settings

LANES = 6
QUICK_CELLS = 16
CELL_S = 120.0
TABLE = "crash points"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One life with one thing going wrong; `strike` None is the undisturbed one."""

    life: Life
    strike: Strike | None = None


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of a case. `quiet_s` is from the strike to the rest that followed."""

    case: Case
    passed: list[Point]
    struck: bool
    quiet_s: float
    wrong: str = ""


@dataclass(frozen=True, kw_only=True)
class Lane:
    """Where one life at a time is played."""

    installation: Installation
    truth: Database
    session: aiohttp.ClientSession

    async def play(self, case: Case) -> Result:
        """Play one life on empty tables."""
        self._empty()
        fault_injector = FaultInjector(strike=case.strike)
        actor = Actor(self.installation, fault_injector, truth=self.truth, session=self.session)
        wrong = ""
        await actor.begin()
        try:
            async with asyncio.timeout(CELL_S) as limit:
                await case.life(actor)
            if limit.expired():
                wrong = f"it hung for {CELL_S:g} s and went on when it was interrupted"
        except (NotQuiet, AssertionError, TimeoutError) as exc:
            wrong = str(exc) or type(exc).__name__
        quiet_s = time.monotonic() - (actor.struck_at or time.monotonic())
        await actor.end()
        return Result(
            case=case, passed=list(fault_injector.passed), struck=fault_injector.struck, quiet_s=quiet_s, wrong=wrong
        )

    def _empty(self) -> None:
        url = make_url(self.installation.database_url).set(drivername="postgresql")
        with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute("; ".join(f"DELETE FROM {table}" for table in reversed(TABLES)).encode())


async def run(scale: Scale) -> list[Figure]:
    """Every case, or a seeded few."""
    async with _lanes(2 if scale.quick else LANES) as lanes:
        scale.say(f"playing {len(ALL)} lives undisturbed")
        calm = await _play(lanes, [Case(life=life) for life in ALL], scale)
        cases = _cells(calm)
        points = {case.strike.point.name for case in cases if case.strike}
        if scale.quick:
            cases = random.Random(scale.seed).sample(cases, QUICK_CELLS)
        scale.say(f"{len(points)} places that write, {len(cases)} cases to play")
        results = await _play(lanes, cases, scale)
    if not scale.quick:
        page.write("evidence/crash-points.md", TABLE, table(results))
    return _figures(calm, results, points=len(points))


def _cells(calm: Sequence[Result]) -> list[Case]:
    """Every write of every life, in every mode; a place that an earlier life came to is not tried again."""
    known: set[str] = set()
    cases = []
    for result in calm:
        fresh = [point for point in result.passed if point.name not in known]
        known |= {point.name for point in fresh}
        cases += [Case(life=result.case.life, strike=Strike(point, mode)) for point in fresh for mode in Mode]
    return cases


async def _play(lanes: Sequence[Lane], cases: Sequence[Case], scale: Scale) -> list[Result]:
    todo = iter(cases)
    results: list[Result] = []

    async def one(lane: Lane) -> None:
        for case in todo:
            result = await lane.play(case)
            results.append(result)
            if result.wrong or result.quiet_s > PATIENCE_S:
                scale.say(f"{describe(case)}: {result.wrong or f'at rest after {result.quiet_s:.1f} s only'}")
            if len(results) % 50 == 0:
                scale.say(f"{len(results)} of {len(cases)} played")

    async with asyncio.TaskGroup() as group:
        for lane in lanes:
            group.create_task(one(lane))
    return results


def describe(case: Case) -> str:
    """A case in words."""
    if case.strike is None:
        return f"{case.life.__name__}, undisturbed"
    return f"{case.life.__name__}, {case.strike.mode} at the {case.strike.point.nth}. {case.strike.point.name}"


def _figures(calm: Sequence[Result], results: Sequence[Result], *, points: int) -> list[Figure]:
    return [
        exactly("lives that go wrong undisturbed", sum(bool(one.wrong) for one in calm), 0),
        Figure(name="places that write", value=points, bound="all found", ok=points > 0),
        Figure(name="cases", value=len(results), bound="all played", ok=bool(results)),
        exactly("cases that did not converge", sum(bool(one.wrong) for one in results), 0),
        exactly("cases that never came to their write", sum(not one.struck for one in results), 0),
        at_most("slowest convergence", max((one.quiet_s for one in results), default=0), PATIENCE_S, unit="s"),
    ]


def table(results: Sequence[Result]) -> str:
    """One row per place that writes: how many of its cases converged, by mode. No timings: it must not drift."""
    tally: dict[str, dict[Mode, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for one in results:
        if one.case.strike is not None:
            tally[one.case.strike.point.name][one.case.strike.mode].append(not one.wrong and one.struck)
    head = "| write | " + " | ".join(Mode) + " |\n|---|" + "---|" * len(Mode)
    rows = [
        f"| {name} | " + " | ".join(f"{sum(modes[mode])}/{len(modes[mode])}" for mode in Mode) + " |"
        for name, modes in sorted(tally.items())
    ]
    return "\n".join([head, *rows])


@asynccontextmanager
async def _lanes(count: int) -> AsyncIterator[list[Lane]]:
    control_plane = bare.load()
    kubeconfig = await asyncio.to_thread(bare.up, control_plane, progress=Progress())
    async with AsyncExitStack() as stack:
        # Who dies finishes nothing.
        stack.enter_context(patch.object(create_queue, "FINISH_WITHIN_S", 0.0))
        stores = await stack.enter_async_context(Stores.up(number=1))
        api = await stack.enter_async_context(Api.connect(control_plane))
        # A pod that has a node waits for its kubelet's word before it goes, and nobody is that here.
        await remove_node(api)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        signer = TokenSigner.of_cluster(control_plane)
        lanes = []
        for number in range(count):
            namespace = f"crash-{number}-{int(time.time())}"
            await api.prepare_namespace(namespace)
            url = stores.create_database(f"crash_{number}")
            truth = Database.connect(url, pool_size=4, application_name="usher-truth")
            stack.push_async_callback(truth.close)
            installation = Installation(
                database_url=url,
                redis_url=await stack.enter_async_context(stores.another_redis(number)),
                namespace=namespace,
                kubeconfig=str(kubeconfig),
                issuer=ISSUER,
                api=api,
                signer=signer,
                settings=_settings(url, namespace),
            )
            lanes.append(Lane(installation=installation, truth=truth, session=session))
        yield lanes


def _settings(url: str, namespace: str) -> Settings:
    """The defaults, but for clocks that would only make the lives longer, not different."""
    return some_settings(
        database_url=SecretStr(url),
        namespaces=(namespace,),
        reconcile_interval_s=0.3,
        orphan_grace_s=3,
        heartbeat_interval_s=0.5,
        brownout_small_fleet_s=0,
        status_write_delay_s=0.001,
    )
