"""Bots of every version of Vexa run unchanged under the exec driver, with commands, to the end.

Each stand-in does what its version was read to do in the published source (`dialects.json` names the files). usher-bot
is whole; so are Redis and the program. Only the control plane is a fake.
"""

import asyncio
import json
import random
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer
from redis.asyncio import Redis

from dev.stores.settings import load
from tests.databases import Server
from tests.unit.bot.fake_control_plane import FakeControlPlane
from tests.unit.bot.harness import some_settings
from usher_bot import main
from usher_bot.clock import SystemClock
from usher_bot.process import Signals
from usher_bot.redaction import Redactor
from usher_models.wire import leave_command, reconfigure_command

HERE = Path(__file__).parent
DIALECTS = json.loads((HERE / "dialects.json").read_text())
VERSIONS = list(DIALECTS)
# How each scenario ends: the reason and exit code that the control plane is told.
ENDS = {
    "alone": ("left_alone", 0),
    "removed": ("evicted_from_meeting", 0),
    "refused": ("admission_denied", 2),
}
# The words of a version that says less.
SAID_OTHERWISE = {
    ("seed", "alone"): ("self_initiated_leave_from_browser", 0),
    ("seed", "refused"): ("admission_timeout", 2),
    ("newest", "refused"): ("admission_denied", 1),
}


@pytest.fixture(autouse=True)
def _no_last_resort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "exit_at_the_latest", lambda code, *, after_s: None)


@pytest.fixture
def signals() -> Iterator[Signals]:
    before = signal.getsignal(signal.SIGTERM)
    signals = Signals()
    signals.install()
    yield signals
    signal.signal(signal.SIGTERM, before)
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def redis_url(server: Server) -> str:
    """A Redis that answers."""
    del server
    return load().redis_url


@dataclass
class Run:
    """One bot with its program."""

    version: str
    plane: FakeControlPlane
    redis_url: str
    folder: Path
    signals: Signals
    meeting_id: int

    async def __call__(self, scenario: str, *, own_redis: bool = False) -> int:
        """Run it to its end; the exit code of usher-bot."""
        (self.folder / "token").write_text("token")
        command = [sys.executable, "-S", str(HERE / "stand_in.py"), self.version, scenario, str(self.record_file)]
        settings = some_settings(
            self.folder / "token",
            callback_url=self.plane.url,
            redis_url=None if own_redis else self.redis_url,
            meeting_id=self.meeting_id,
            connection_id=f"connection-{self.meeting_id}",
            driver="exec",
            driver_options={"command": command, "env": {"REDIS_URL": self.redis_url} if own_redis else {}},
            heartbeat_interval_s=0.1,
            leave_grace_s=5,
            termination_log=self.folder / "termination-log",
        )
        return await asyncio.wait_for(main.run_bot(settings, signals=self.signals, redactor=Redactor([])), 20)

    @property
    def record_file(self) -> Path:
        return self.folder / "record.json"

    @property
    def record(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.record_file.read_text())
        return found

    @property
    def end(self) -> tuple[str, int]:
        (exited,) = self.plane.of("exited")
        return exited.body["reason"], exited.body["exit_code"]

    async def joined(self) -> None:
        """Return when the bot is in its meeting."""
        while "joined" not in self.plane.names():  # noqa: ASYNC110 - a program of its own says it
            await asyncio.sleep(0.01)

    async def publish(self, channel: str, message: str) -> None:
        """Publish as Usher's control plane does."""
        async with Redis.from_url(self.redis_url) as redis:
            await redis.publish(channel, message)


@pytest.fixture(params=VERSIONS)
async def run(request: pytest.FixtureRequest, redis_url: str, tmp_path: Path, signals: Signals) -> AsyncIterator[Run]:
    plane = FakeControlPlane(now=SystemClock().now)
    plane.next_beat_s = 0.1
    async with TestServer(plane.application()) as server:
        plane.url = str(server.make_url("")).rstrip("/")
        yield Run(
            version=request.param,
            plane=plane,
            redis_url=redis_url,
            folder=tmp_path,
            signals=signals,
            # Other runs share the Redis and its channels.
            meeting_id=random.randrange(1, 2**31),
        )


async def test_a_bot_of_vexa_leaves_when_it_is_asked(run: Run) -> None:
    living = asyncio.ensure_future(run("stay"))
    await run.joined()
    run.plane.commands = [leave_command(run.meeting_id)]
    for channel in (f"bot_commands:meeting:{run.meeting_id}", f"bot_commands:connection-{run.meeting_id}"):
        await run.publish(channel, leave_command(run.meeting_id).model_dump_json())
    assert await living == 0
    assert run.end == ("stopped", 0)
    assert run.plane.names()[0] == "started"
    assert run.record["attempts"] == [
        *([step, 1] for step in DIALECTS[run.version]["steps"]),
        [run.record["end"][0], 1],
    ], "Each callback was accepted at once."


async def test_a_bot_of_vexa_leaves_at_the_command_in_its_own_redis(run: Run) -> None:
    living = asyncio.ensure_future(run("stay", own_redis=True))
    await run.joined()
    channel = DIALECTS[run.version]["channel"].format(
        meeting_id=run.meeting_id, connectionId=f"connection-{run.meeting_id}"
    )
    await run.publish(channel, '{"action": "leave"}')
    assert await living == 0
    assert run.end == ("stopped", 0)
    assert run.record["end"] == [run.record["end"][0], 0], "It left by itself: SIGTERM has another code or no command."
    assert run.record["heard"][-1]["action"] == "leave"


async def test_a_reconfiguration_reaches_a_bot_with_a_redis_of_its_own(run: Run) -> None:
    living = asyncio.ensure_future(run("stay", own_redis=True))
    await run.joined()
    run.plane.commands = [reconfigure_command(run.meeting_id, generation=3, config={"language": "de"})]
    while not any(call.body.get("applied_generation") == 3 for call in run.plane.of("heartbeat")):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    run.plane.commands = [leave_command(run.meeting_id)]
    assert await living == 0
    assert {"action": "reconfigure", "language": "de", "task": None} in run.record["heard"]


@pytest.mark.parametrize(
    ("run", "scenario"),
    [(version, scenario) for version in VERSIONS for scenario in ENDS if scenario in DIALECTS[version]["ends"]],
    indirect=["run"],
)
async def test_how_a_bot_of_vexa_ended_is_told_truly(run: Run, scenario: str) -> None:
    reason, code = SAID_OTHERWISE.get((run.version, scenario), ENDS[scenario])
    assert await run(scenario) == code
    assert run.end == (reason, code)
    assert [attempt for _, attempt in run.record["attempts"]] == [1] * len(run.record["attempts"])


async def test_a_bot_of_vexa_that_broke_is_failed_with_its_own_word(run: Run) -> None:
    said = DIALECTS[run.version]["ends"]["broken"]
    assert await run("broken") == 1
    assert run.end == (said.get("completion_reason") or said["reason"], 1)


async def test_each_version_refuses_a_configuration_that_is_not_its_own(run: Run, tmp_path: Path) -> None:
    """The stand-ins are shown to notice: without this, a bot that read nothing would pass everything above."""
    facts = DIALECTS[run.version]
    other = "BOT_CONFIG" if facts["variable"] == "VEXA_BOT_CONFIG" else "VEXA_BOT_CONFIG"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-S", str(HERE / "stand_in.py"), run.version, "stay", str(tmp_path / "record.json"),
        env={other: "{}", facts["variable"]: json.dumps({"platform": "zoom", "botManagerCallbackUrl": "x"})},
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await process.wait() == 1
