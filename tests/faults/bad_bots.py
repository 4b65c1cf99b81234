"""Every kind of bad bot at once, as real bot processes: each ends terminal, in its bound, with the right reason.

The callback server and the reconciler are production's, on a real Postgres with short clocks; Kubernetes is away, so
nothing but callbacks and silence speaks. What needs a pod (out of memory, the Job of a bot that ignores its leave) is
in `tests/e2e`.
"""

import asyncio
import json
import logging
import os
import random
import signal
import sys
import tempfile
from collections import Counter
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dev.machine import debian
from dev.machine.progress import Progress
from tests.databases import own_database
from tests.fakes.settings import some_settings
from tests.fakes.tokens import NAMESPACE, TokenIssuer
from tests.faults._excessive_callbacks import babble
from tests.faults.figures import Figure, Scale, counted, exactly
from tests.faults.frozen_bots import serving, sweeping
from tests.scenario import Scenario
from usher_models.db import desired_state
from usher_models.db.bots import Bot

# Short, but for what the code fixes: a lobby budget has a minute of margin.
SETTINGS = some_settings(
    heartbeat_interval_s=1,
    heartbeat_timeout_s=8,
    reserved_timeout_s=15,
    starting_timeout_s=10,
    stopping_timeout_s=10,
    reconcile_interval_s=1,
    brownout_min_bots=1000,
)
LOBBY_S = 1
WITHIN_S = 100
# A sweep, and a process that starts on a busy machine.
SLACK_S = 12
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of bad bot: what it is told to do, what becomes of it, and how many seconds after its reservation."""

    name: str
    status: str
    reason: str
    within_s: float
    options: dict[str, Any] = field(default_factory=dict)
    under: tuple[str, ...] = ()
    """The command that runs the bot's process."""


KINDS = [
    Kind(name="well", status="completed", reason="meeting_ended", within_s=20, options={"meeting_s": 5}),
    Kind(name="silent", status="failed", reason="heartbeat_lost", within_s=15, options={"behaviour": "silent"}),
    Kind(
        name="hung", status="failed", reason="heartbeat_lost", within_s=15, options={"behaviour": "hang", "after_s": 1}
    ),
    Kind(
        name="exits without a word",
        status="failed",
        reason="heartbeat_lost",
        within_s=15,
        options={"behaviour": "crash", "exit_code": 0, "after_s": 1},
    ),
    Kind(name="zombie", status="failed", reason="never_joined", within_s=75, options={"behaviour": "zombie"}),
    Kind(name="not let in", status="failed", reason="admission_timeout", within_s=15, options={"behaviour": "lobby"}),
    Kind(name="slow leaver", status="completed", reason="stopped", within_s=30, options={"leave_s": 600}),
    Kind(name="duplicate", status="completed", reason="meeting_ended", within_s=25, options={"meeting_s": 9}),
    Kind(name="babbling", status="completed", reason="meeting_ended", within_s=25, options={"meeting_s": 5}),
    *(
        Kind(
            name=f"clock three hours {way}",
            status="completed",
            reason="meeting_ended",
            within_s=25,
            options={"meeting_s": 5},
            under=("faketime", "-f", offset),
        )
        for way, offset in (("ahead", "+3h"), ("behind", "-3h"))
    ),
    Kind(name="wrong token", status="failed", reason="never_started", within_s=20),
    Kind(name="reports after failure", status="failed", reason="heartbeat_lost", within_s=25),
]


async def run(scale: Scale) -> list[Figure]:
    """Start one of each, do to it what makes it what it is, and look at what became of it."""
    log = Path(".faults") / "apt.log"
    log.parent.mkdir(exist_ok=True)
    await asyncio.to_thread(debian.ensure, ["faketime"], log=log, progress=Progress())
    errors = _Errors()
    logging.getLogger("usher_operator").addHandler(errors)
    async with AsyncExitStack() as stack:
        stack.callback(logging.getLogger("usher_operator").removeHandler, errors)
        database, _ = await stack.enter_async_context(own_database(pool_size=20))
        issuer = TokenIssuer("ES256")
        port = await stack.enter_async_context(serving(database, issuer, SETTINGS))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        given = Scenario(database)
        bots = {kind.name: await given.a_bot(lobby_timeout_s=LOBBY_S, request_namespace=NAMESPACE) for kind in KINDS}
        bad_bots = BadBots(given=given, issuer=issuer, port=port, folder=folder)
        stack.push_async_callback(bad_bots.close)
        babbling = asyncio.create_task(bad_bots.babble(bots["babbling"], seed=scale.seed))
        for kind in KINDS:
            await bad_bots.start(bots[kind.name], kind)
        await stack.enter_async_context(sweeping(database, SETTINGS))
        scale.say(f"{len(KINDS)} kinds of bots are at it")
        said, *_ = await asyncio.gather(
            babbling, bad_bots.ask_to_leave(bots["slow leaver"]), bad_bots.doze(bots["reports after failure"])
        )
        await bad_bots.all_over(list(bots.values()), within_s=WITHIN_S)
        return [
            *[await bad_bots.figure(kind, bots[kind.name]) for kind in KINDS],
            counted("callbacks that the babbling one said", said.total()),
            *(counted(f"of those answered {code}", number) for code, number in sorted(said.items())),
            exactly("of those answered by a fault of the server", sum(said[code] for code in said if code >= 500), 0),
            exactly("errors that the server logged", errors.count, 0),
        ]


class _Errors(logging.Handler):
    """Counts what a server logs as its own fault."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += 1


class BadBots:
    """The processes, and what is done to them."""

    def __init__(self, *, given: Scenario, issuer: TokenIssuer, port: int, folder: Path) -> None:
        self._given = given
        self._issuer = issuer
        self._port = port
        self._folder = folder
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._more: list[asyncio.subprocess.Process] = []

    async def start(self, bot: Bot, kind: Kind) -> None:
        owner = "bot-999999" if kind.name == "wrong token" else bot.job_name
        self._processes[bot.meeting_id] = await self._process(bot, kind, owner=owner, pod="pod-1")
        if kind.name == "duplicate":
            await self._until(bot, "active")
            self._more.append(await self._process(bot, kind, owner=owner, pod="pod-2"))

    async def _process(self, bot: Bot, kind: Kind, *, owner: str, pod: str) -> asyncio.subprocess.Process:
        token = self._token(bot, pod)
        token.write_text(
            self._issuer.token(pod_name=f"{owner}-abcde", pod_uid=f"{pod}-{bot.meeting_id}", namespace=NAMESPACE)
        )
        options = {"boot_s": 0.2, "lobby_s": 0.2, "leave_s": 0.2} | kind.options
        env = os.environ | {
            "USHER_CONNECTION_ID": bot.connection_id,
            "USHER_MEETING_ID": str(bot.meeting_id),
            "USHER_CALLBACK_URL": f"http://127.0.0.1:{self._port}",
            "USHER_TOKEN_FILE": str(token),
            "USHER_PLATFORM": "zoom",
            "USHER_NATIVE_MEETING_ID": bot.native_id,
            "USHER_MEETING_URL": "https://zoom.us/j/85123456789",
            "USHER_BOT_NAME": kind.name,
            "USHER_DRIVER": "simulated",
            "USHER_DRIVER_OPTIONS": json.dumps(options),
            "USHER_LOBBY_TIMEOUT_S": str(LOBBY_S),
            "USHER_LEAVE_GRACE_S": "3",
            "USHER_HEARTBEAT_INTERVAL_S": "1",
            "USHER_LOG_LEVEL": "ERROR",
            "USHER_TERMINATION_LOG": str(self._folder / "last-word"),
        }
        # Wrong clocks are wall clocks; no machine's monotonic one jumps.
        env["FAKETIME_DONT_FAKE_MONOTONIC"] = "1"
        command = (*kind.under, sys.executable, "-m", "usher_bot")
        return await asyncio.create_subprocess_exec(*command, env=env, cwd=ROOT)

    def _token(self, bot: Bot, pod: str) -> Path:
        return self._folder / f"{bot.meeting_id}-{pod}"

    async def babble(self, bot: Bot, *, seed: int) -> Counter[int]:
        """Speak beside it, with its token and its name, until its meeting is over; how it was answered, by code."""
        await self._until(bot, "active")
        token = self._token(bot, "pod-1").read_text()
        return await babble(f"http://127.0.0.1:{self._port}", bot.connection_id, token=token, dice=random.Random(seed))

    async def ask_to_leave(self, bot: Bot) -> None:
        await self._until(bot, "active")
        async with self._given.database.transaction() as connection:
            await desired_state.want_leave(connection, [bot.meeting_id], reason="stopped")

    async def doze(self, bot: Bot) -> None:
        """Stop it until it was failed, and let it go on: what it says then changes nothing."""
        await self._until(bot, "active")
        self._processes[bot.meeting_id].send_signal(signal.SIGSTOP)
        await self._until(bot, "failed")
        self._processes[bot.meeting_id].send_signal(signal.SIGCONT)

    async def _until(self, bot: Bot, status: str) -> None:
        async with asyncio.timeout(60):
            while (await self._given.fresh(bot)).status != status:  # noqa: ASYNC110 - Postgres tells nobody
                await asyncio.sleep(0.1)

    async def all_over(self, bots: list[Bot], *, within_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while any([(await self._given.fresh(bot)).live for bot in bots]):  # noqa: ASYNC110
                    await asyncio.sleep(0.5)
        # Late words are still said.
        await asyncio.sleep(2)

    async def figure(self, kind: Kind, bot: Bot) -> Figure:
        now = await self._given.fresh(bot)
        took_s = ((now.ended_at or now.status_changed_at) - now.reserved_at).total_seconds()
        limit_s = kind.within_s + SLACK_S
        right = (now.status, now.reason) == (kind.status, kind.reason)
        return Figure(
            name=f"{kind.name}: {now.status}, {now.reason}",
            value=round(took_s, 1),
            bound=f"{kind.status}, {kind.reason}, ≤ {limit_s:g}",
            ok=right and took_s <= limit_s,
            unit="s",
        )

    async def close(self) -> None:
        for process in (*self._processes.values(), *self._more):
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
