"""The whole program in a test: `usher-bot` as its own process, and a control plane that only listens."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestServer

from tests.browser.guest import NAME, PATIENCE_S
from tests.unit.bot.fake_control_plane import FakeControlPlane


@dataclass
class Program:
    """One bot's process and what it told the control plane."""

    process: asyncio.subprocess.Process
    control_plane: FakeControlPlane
    log: Path

    @property
    def is_over(self) -> bool:
        """True if the process has ended."""
        return self.process.returncode is not None

    def stages(self) -> list[str]:
        """The stages in the order in which they were reported."""
        return [call.body["stage"] for call in self.control_plane.of("status") if call.body.get("stage")]

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait for something that the control plane is told."""
        async with asyncio.timeout(PATIENCE_S):
            while not done():
                assert not self.is_over, self.control_plane.names()
                await asyncio.sleep(0.05)

    async def exit_code(self) -> int:
        """How the process ended."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.process.wait()


@asynccontextmanager
async def a_program(
    *, url: str, site: str, pin: str, folder: Path, name: str = NAME, beat_s: float = 1.0, **options: Any
) -> AsyncIterator[Program]:
    """A bot on its way to the meeting at `url`; its process is gone after the block."""
    control_plane = FakeControlPlane(now=time.monotonic)
    control_plane.next_beat_s = beat_s
    (folder / "token").write_text("a-token")
    log = folder / "bot.log"
    async with TestServer(control_plane.application()) as server:
        settings = _settings(str(server.make_url("/")), url=url, name=name, folder=folder)
        flags = [f"--ignore-certificate-errors-spki-list={pin}"]
        settings["USHER_DRIVER_OPTIONS"] = json.dumps({"site": site, "flags": flags, **options})
        with log.open("wb") as lines:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "usher_bot", env={**os.environ, **settings}, stdout=lines, stderr=lines
            )
        try:
            yield Program(process, control_plane, log)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


def _settings(control_plane: str, *, url: str, name: str, folder: Path) -> dict[str, str]:
    return {
        "USHER_CONNECTION_ID": "c-1",
        "USHER_MEETING_ID": "42",
        "USHER_CALLBACK_URL": control_plane,
        "USHER_TOKEN_FILE": str(folder / "token"),
        "USHER_PLATFORM": "jitsi",
        "USHER_NATIVE_MEETING_ID": url.rpartition("/")[2],
        "USHER_MEETING_URL": url,
        "USHER_BOT_NAME": name,
        "USHER_DRIVER": "browser",
        "USHER_TERMINATION_LOG": str(folder / "termination-log"),
    }
