"""The whole program: `usher-bot` as its own process, a control plane, a conference, and signals."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from aiohttp.test_utils import TestServer

from dev.conference.host import Host
from tests.browser.guest import NAME, PATIENCE_S
from tests.unit.bot.fake_control_plane import FakeControlPlane
from usher_bot.exit_codes import ExitCode


@dataclass
class Program:
    """One bot's process and what it told the control plane."""

    process: asyncio.subprocess.Process
    control_plane: FakeControlPlane

    def stages(self) -> list[str]:
        """The stages in the order in which they were reported."""
        return [call.body["stage"] for call in self.control_plane.of("status") if call.body.get("stage")]

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait for something that the control plane is told."""
        async with asyncio.timeout(PATIENCE_S):
            while not done():
                assert self.process.returncode is None, self.control_plane.names()
                await asyncio.sleep(0.05)

    async def exit_code(self) -> int:
        """How the process ended."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.process.wait()


@pytest.fixture
async def program(room: str, site: str, site_url: str, pin: str, tmp_path: Path) -> AsyncIterator[Program]:
    """A bot in the room, with heartbeats every second."""
    control_plane = FakeControlPlane(now=time.monotonic)
    control_plane.next_beat_s = 1.0
    token = tmp_path / "token"
    token.write_text("a-token")
    async with TestServer(control_plane.application()) as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "usher_bot",
            env={**os.environ, **_settings(str(server.make_url("/")), room, site, site_url, pin, tmp_path)},
        )
        yield Program(process, control_plane)
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_bot_tells_its_whole_life_and_leaves_on_sigterm(host: Host, program: Program) -> None:
    await program.until(lambda: "lobby" in program.stages())
    await host.admit(NAME)
    await program.until(lambda: bool(program.control_plane.of("joined")))
    await program.until(
        lambda: any(beat.body.get("participants") == 1 for beat in program.control_plane.of("heartbeat"))
    )
    program.process.send_signal(signal.SIGTERM)
    assert await program.exit_code() == 0
    assert program.control_plane.names()[0] == "started"
    assert program.control_plane.names()[-1] == "exited"
    assert program.stages() == ["joining", "lobby", "leaving"]
    assert program.control_plane.of("exited")[0].body["reason"] == "terminated"
    assert await host.names() == ["Host"]


async def test_nothing_of_the_browser_is_left_when_the_bot_is_gone(host: Host, program: Program) -> None:
    await program.until(lambda: "lobby" in program.stages())
    below = psutil.Process(program.process.pid).children(recursive=True)
    assert any("chromium" in child.name() for child in below)
    program.process.send_signal(signal.SIGTERM)
    assert await program.exit_code() == ExitCode.NOT_ADMITTED
    _, left = psutil.wait_procs(below, timeout=5)
    assert left == []


async def test_a_removed_bot_exits_with_0_and_says_so(host: Host, program: Program) -> None:
    await program.until(lambda: "lobby" in program.stages())
    await host.admit(NAME)
    await program.until(lambda: bool(program.control_plane.of("joined")))
    await host.remove(NAME)
    assert await program.exit_code() == 0
    assert program.control_plane.of("exited")[0].body["reason"] == "evicted_from_meeting"


def _settings(control_plane: str, room: str, site: str, site_url: str, pin: str, folder: Path) -> dict[str, str]:
    options = {"site": site, "flags": [f"--ignore-certificate-errors-spki-list={pin}"]}
    return {
        "USHER_CONNECTION_ID": "c-1",
        "USHER_MEETING_ID": "42",
        "USHER_CALLBACK_URL": control_plane,
        "USHER_TOKEN_FILE": str(folder / "token"),
        "USHER_PLATFORM": "jitsi",
        "USHER_NATIVE_MEETING_ID": room,
        "USHER_MEETING_URL": f"{site_url}/{room}" if site == "jitsi" else f"{site_url}/m/{room}",
        "USHER_BOT_NAME": NAME,
        "USHER_DRIVER": "browser",
        "USHER_DRIVER_OPTIONS": json.dumps(options),
        "USHER_TERMINATION_LOG": str(folder / "termination-log"),
    }
