"""The whole program: `usher-bot` as its own process, a control plane, a conference, and signals."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from dev.conference.host import Host
from tests.browser.guest import NAME
from tests.browser.program import Program, a_program
from usher_bot.exit_codes import ExitCode


@pytest.fixture
async def program(room: str, site: str, site_url: str, pin: str, tmp_path: Path) -> AsyncIterator[Program]:
    """A bot in the room, with heartbeats every second."""
    url = f"{site_url}/{room}" if site == "jitsi" else f"{site_url}/m/{room}"
    async with a_program(url=url, site=site, pin=pin, folder=tmp_path) as made:
        yield made


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
