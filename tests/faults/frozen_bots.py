"""200 bots are frozen (SIGSTOP) at random phases of their heartbeats: each is failed in time, and none before its time.

Each is a process of its own that speaks the callback protocol over HTTP to the real callback server, with a token of
its own; the reconciler sweeps on a real Postgres with the default clocks. As many bots again stay well, or the mass
hold would rightly spare them all. Kubernetes is in memory: what is measured is silence.
"""

import asyncio
import logging
import random
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from tests.databases import own_database
from tests.fakes.epoch import an_epoch
from tests.fakes.kube import FakeKube
from tests.fakes.publisher import RecordingPublisher
from tests.fakes.settings import INSTALLATION, some_settings
from tests.fakes.tokens import AUDIENCE, ISSUER, NAMESPACE, SERVICE_ACCOUNT, TokenIssuer
from tests.faults.figures import Figure, Scale, at_least, at_most, exactly
from tests.scenario import Scenario
from usher_models.db.bots import Bot
from usher_models.db.engine import Database
from usher_models.db.leader_lock import LeaderLock
from usher_models.errors import DatabaseUnavailable
from usher_operator.callbacks.cluster_keys import KeyRing
from usher_operator.callbacks.pod_token import TokenVerifier
from usher_operator.callbacks.replica_heartbeat import keep_recording
from usher_operator.callbacks.routes import Callbacks
from usher_operator.lifecycle.allowed_spec import AllowedSpec
from usher_operator.lifecycle.close import Closer, Ends
from usher_operator.lifecycle.commands import Commander
from usher_operator.lifecycle.create_request import RequestCreator
from usher_operator.lifecycle.ensure import Ensurer
from usher_operator.lifecycle.evidence.collector import NoEvidence
from usher_operator.lifecycle.hold import Hold
from usher_operator.lifecycle.termination import Termination
from usher_operator.processes.operate import job_settings
from usher_operator.reconcile.reconciler import Reconciler
from usher_operator.reconcile.sweep import Acts, Memory
from usher_operator.redis_acl.users import NoUsers
from usher_operator.settings import Settings
from usher_operator.watch.in_flight import InFlight

BOTS = 200
TIMEOUT_S, INTERVAL_S, SWEEP_S = 120.0, 30.0, 10.0
# The quick run's clocks: everything is thirty times faster, so that its bounds are too.
QUICK_BOTS, FASTER = 10, 30.0
# A sweep's interval and a second, as promised; a busy machine's second does not get shorter with the clocks.
SLACK_S, QUICK_SLACK_S = 1.0, 3.0
STARTS_AT_ONCE = 8


@dataclass(frozen=True, kw_only=True)
class Clocks:
    """How many bots, and how fast time goes for them."""

    bots: int
    faster: float
    slack_s: float

    @property
    def settings(self) -> Settings:
        return some_settings(
            heartbeat_timeout_s=TIMEOUT_S / self.faster,
            heartbeat_interval_s=INTERVAL_S / self.faster,
            reconcile_interval_s=SWEEP_S / self.faster,
        )


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """A bot's process, and its row."""

    bot: Bot
    process: asyncio.subprocess.Process


async def run(scale: Scale) -> list[Figure]:
    """Start them, freeze half of them one by one, and wait for the verdicts."""
    clocks = _clocks(scale)
    settings = clocks.settings
    dice = random.Random(scale.seed)
    async with AsyncExitStack() as stack:
        database, _ = await stack.enter_async_context(own_database(pool_size=40))
        issuer = TokenIssuer("ES256")
        port = await stack.enter_async_context(serving(database, issuer, settings))
        bots = await Scenario(database).copies_of(await Scenario(database).a_bot().with_job(), 2 * clocks.bots)
        crowd = await stack.enter_async_context(_crowd(bots, issuer, port, settings, dice))
        await _all_in_their_meetings(database, len(crowd))
        scale.say(f"{len(crowd)} bots are in their meetings")
        await stack.enter_async_context(sweeping(database, settings))
        await asyncio.sleep(settings.heartbeat_interval_s)
        frozen, well = crowd[: clocks.bots], crowd[clocks.bots :]
        await _freeze(frozen, within_s=settings.heartbeat_interval_s, dice=dice)
        scale.say(f"{len(frozen)} of them are frozen")
        await asyncio.sleep(settings.heartbeat_timeout_s / 4)
        heard_at = await _last_heard(database, frozen)
        await asyncio.sleep(settings.heartbeat_timeout_s * 3 / 4 + settings.reconcile_interval_s + clocks.slack_s + 2)
        return await _verdicts(database, heard_at, well=well, clocks=clocks)


def _clocks(scale: Scale) -> Clocks:
    if scale.quick:
        return Clocks(bots=QUICK_BOTS, faster=FASTER, slack_s=QUICK_SLACK_S)
    return Clocks(bots=BOTS, faster=1, slack_s=SLACK_S)


@asynccontextmanager
async def serving(database: Database, issuer: TokenIssuer, settings: Settings) -> AsyncIterator[int]:
    """The callback server on a port of its own."""

    async def keys() -> dict[str, object]:
        return issuer.jwks()

    verifier = TokenVerifier(
        KeyRing(keys), issuers=(ISSUER,), audience=AUDIENCE, namespaces=(NAMESPACE,), service_account=SERVICE_ACCOUNT
    )
    callbacks = Callbacks(
        database=database,
        verifier=verifier,
        heartbeat_interval_s=settings.heartbeat_interval_s,
        termination=Termination(FakeKube()),
    )
    runner = web.AppRunner(callbacks.application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    present = asyncio.create_task(keep_recording(database, "serve-1"))
    try:
        yield int(runner.addresses[0][1])
    finally:
        await _ended(present)
        await runner.cleanup()


@asynccontextmanager
async def sweeping(database: Database, settings: Settings) -> AsyncIterator[None]:
    kube, commander = FakeKube(), Commander(database, RecordingPublisher())
    # The snapshot would show no Job of anybody: what is judged here is silence alone.
    kube.away = True
    lock = LeaderLock(database, lease_s=settings.leader_lease_s)
    hold = Hold()
    ensurer = Ensurer(
        database=database,
        kube=kube,
        commander=commander,
        redis_users=NoUsers(),
        job_settings=job_settings(settings, installation=INSTALLATION),
        allowed=AllowedSpec(settings),
        hold=hold,
        now=lambda: datetime.now(UTC),
        fence=lock,
    )
    reconciler = Reconciler(
        settings=settings,
        database=database,
        kube=kube,
        acts=Acts(
            commander=commander,
            ensurer=ensurer,
            closer=Closer(ends=Ends(database, fence=lock), kube=kube, evidence=NoEvidence()),
            request_creator=RequestCreator(database=database, kube=kube),
        ),
        memory=Memory.empty(settings=settings, kube=kube, clock=time.monotonic),
        epoch=an_epoch(database, settings=settings, kube=kube, hold=hold, clock=time.monotonic),
        lock=lock,
        in_flight=InFlight(),
        installation=INSTALLATION,
        clock=time.monotonic,
    )
    sweeping = asyncio.create_task(reconciler.run())
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        await _ended(sweeping)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@asynccontextmanager
async def _crowd(
    bots: list[Bot], issuer: TokenIssuer, port: int, settings: Settings, dice: random.Random
) -> AsyncIterator[list[StandIn]]:
    """A process for each bot, in its meeting and at its own phase of the beat; all are gone in the end."""
    started: list[StandIn] = []
    slots = asyncio.Semaphore(STARTS_AT_ONCE)

    async def start(bot: Bot) -> None:
        async with slots:
            started.append(StandIn(bot=bot, process=await _process(bot, issuer, port, settings, dice)))

    try:
        async with asyncio.TaskGroup() as group:
            for bot in bots:
                group.create_task(start(bot))
        yield started
    finally:
        for each in started:
            with suppress(ProcessLookupError):
                each.process.kill()
        await asyncio.gather(*(each.process.wait() for each in started))


async def _process(
    bot: Bot, issuer: TokenIssuer, port: int, settings: Settings, dice: random.Random
) -> asyncio.subprocess.Process:
    token = issuer.token(
        pod_name=f"{bot.job_name}-abcde", pod_uid=f"pod-{bot.meeting_id}", namespace=NAMESPACE, expires_in=3600
    )
    phase = dice.uniform(0, settings.heartbeat_interval_s)
    script = str(Path(__file__).with_name("_minimal_bot.py"))
    return await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", script, "127.0.0.1", str(port), bot.connection_id, token, f"{phase:.3f}"
    )


async def _all_in_their_meetings(database: Database, wanted: int) -> None:
    query = "SELECT count(*) FROM meetings WHERE status = 'active'"
    found = 0
    async with asyncio.timeout(300):
        while found < wanted:
            # All of them start at once and may leave no connection for a look.
            with suppress(DatabaseUnavailable):
                found = await Scenario(database).scalar(query)
            await asyncio.sleep(0.2)


async def _freeze(frozen: list[StandIn], *, within_s: float, dice: random.Random) -> None:
    async def one(each: StandIn) -> None:
        await asyncio.sleep(dice.uniform(0, within_s))
        each.process.send_signal(signal.SIGSTOP)

    await asyncio.gather(*map(one, frozen))


async def _last_heard(database: Database, frozen: list[StandIn]) -> dict[int, datetime]:
    given = Scenario(database)
    query = "SELECT at FROM usher.heartbeats WHERE meeting_id = :id"
    return {each.bot.meeting_id: await given.scalar(query, id=each.bot.meeting_id) for each in frozen}


async def _verdicts(
    database: Database, heard_at: dict[int, datetime], *, well: list[StandIn], clocks: Clocks
) -> list[Figure]:
    settings = clocks.settings
    given = Scenario(database)
    query = (
        "SELECT at FROM usher.transitions WHERE meeting_id = :id AND to_status = 'failed' AND reason = 'heartbeat_lost'"
    )
    failed_at = {meeting_id: await given.scalar(query, id=meeting_id) for meeting_id in heard_at}
    silent_s = [(at - heard_at[meeting_id]).total_seconds() for meeting_id, at in failed_at.items() if at]
    killed = 0
    for each in well:
        killed += await given.scalar("SELECT status <> 'active' FROM meetings WHERE id = :id", id=each.bot.meeting_id)
    longest = settings.heartbeat_timeout_s + settings.reconcile_interval_s + clocks.slack_s
    return [
        exactly("frozen bots failed for their silence", len(silent_s), len(heard_at)),
        at_least("shortest silence that was failed", min(silent_s, default=0), settings.heartbeat_timeout_s, unit="s"),
        at_most("longest silence until failed", max(silent_s, default=1e9), longest, unit="s"),
        exactly("bots failed that were well", killed, 0),
    ]
