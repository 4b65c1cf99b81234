"""A driver with a browser that the test writes, and time that the test moves."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.bot.browser.fake_page import FakeBrowser, FakePage
from tests.unit.bot.fake_time import FakeClock
from tests.unit.bot.harness import some_settings
from usher_bot.drivers.base import NotJoined
from usher_bot.drivers.browser.driver import BrowserDriver
from usher_bot.drivers.browser.options import BrowserOptions
from usher_bot.drivers.browser.sound.tracks import Tracks
from usher_bot.exit_codes import Outcome
from usher_models.states import Stage


class Visit:
    """A driver and its whole course, which runs in the background."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.page = FakePage(self.clock)
        self.browser = FakeBrowser(self.page)
        self.stages: list[Stage] = []
        self.joined = False
        self._folder = folder
        self.driver: BrowserDriver
        self._course: asyncio.Task[Outcome] | None = None

    async def begin(self, *, passcode: str | None = None, lobby_timeout_s: float = 900, **options: Any) -> None:
        """Start the course and let it come as far as it can without time."""
        settings = some_settings(
            self._folder,
            meeting_url="https://conference.example/m/room",
            passcode=passcode,
            lobby_timeout_s=lobby_timeout_s,
        )
        made = BrowserOptions.model_validate({"site": "conference", **options})
        source = Tracks(slice_s=made.slice_s, bits=made.bits)
        self.driver = BrowserDriver(made, settings=settings, browser=self.browser, source=source, clock=self.clock)
        self._course = asyncio.create_task(self._go())
        await self.clock.settle()

    async def end(self) -> Outcome:
        """Let time run until the course is over; how it ended."""
        assert self._course
        await self.clock.run_until(self._course.done)
        return self._course.result()

    @property
    def is_over(self) -> bool:
        assert self._course
        return self._course.done()

    async def close(self) -> None:
        """End what still runs."""
        if self._course:
            self._course.cancel()
            await asyncio.wait([self._course])

    async def _go(self) -> Outcome:
        try:
            await self.driver.join(self.stages.append)
        except NotJoined as exc:
            return exc.outcome
        self.joined = True
        return await self.driver.run()


@pytest.fixture
async def visit(tmp_path: Path) -> AsyncIterator[Visit]:
    """A visit that is about to begin, in the test conference."""
    made = Visit(tmp_path)
    yield made
    await made.close()
