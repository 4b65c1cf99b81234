"""The bot of a test: the browser driver in one room, without the rest of the bot around it."""

import asyncio
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.unit.bot.harness import some_settings
from usher_bot.clock import SystemClock
from usher_bot.drivers.base import NotJoined
from usher_bot.drivers.browser.chromium.browser import Chromium
from usher_bot.drivers.browser.chromium.page import ChromiumPage
from usher_bot.drivers.browser.driver import BrowserDriver
from usher_bot.drivers.browser.page import PageSilent
from usher_bot.drivers.browser.wiring import browser_driver
from usher_bot.exit_codes import Outcome
from usher_models.states import Stage

NAME = "Usher"
PATIENCE_S = 60.0
AUDIBLE = 0.01
KINDS = {"renderer": "--type=renderer", "gpu": "--type=gpu-process", "network": "NetworkService"}


@dataclass
class Guest:
    """One bot. Its whole course runs in the background from `start` on."""

    driver: BrowserDriver
    stages: list[Stage] = field(default_factory=list)
    is_inside: asyncio.Event = field(default_factory=asyncio.Event)
    _course: asyncio.Task[Outcome] | None = None

    def start(self) -> None:
        """Join, and stay."""
        self._course = asyncio.create_task(self._go())

    async def reach(self, stage: Stage) -> None:
        """Wait until the bot reported that stage."""
        await self._unless_over(lambda: stage in self.stages)

    async def be_inside(self) -> None:
        """Wait until the bot is in the meeting."""
        await self._unless_over(self.is_inside.is_set)

    async def outcome(self, *, within_s: float = PATIENCE_S) -> Outcome:
        """How the course ended."""
        assert self._course
        async with asyncio.timeout(within_s):
            return await asyncio.shield(self._course)

    async def leave(self) -> None:
        """Get out, as at the end of every life."""
        await self.driver.leave()
        if self._course:
            self._course.cancel()

    async def meets(self, others: int) -> None:
        """Wait until the bot counts that many others."""
        await self._unless_over(lambda: self.driver.participants == others)

    async def hears(self) -> None:
        """Wait until sound of the others arrives."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.script("window.__usherTap.level()") < AUDIBLE:
                await asyncio.sleep(0.1)

    async def is_loud(self, *, within_s: float) -> bool:
        """Whether the bot's own measure of loudness says within some time that there is sound."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while await self._loudness() < AUDIBLE:
                    await asyncio.sleep(0.1)
                return True
        return False

    def kill(self, kind: str, number: signal.Signals) -> None:
        """Signal the processes of that kind in the bot's browser: browser, renderer, gpu-process or network."""
        assert isinstance(self.driver.browser, Chromium)
        browser = psutil.Process(self.driver.browser.pid)
        for process in [browser] if kind == "browser" else browser.children(recursive=True):
            if kind == "browser" or any(KINDS[kind] in word for word in process.cmdline()):
                process.send_signal(number)

    async def crash(self) -> None:
        """Let the tab crash, by the address that Chromium has for it."""
        assert self.driver.page
        with suppress(PageSilent):
            async with asyncio.timeout(5):
                await self.driver.page.open("chrome://crash")

    async def close_tab(self) -> None:
        """Close the tab, and leave the browser alone."""
        assert isinstance(self.driver.page, ChromiumPage)
        await self.driver.page._page.close()

    async def script(self, script: str) -> Any:
        """The value of a script in the bot's page."""
        assert self.driver.page
        return await self.driver.page.evaluate(script, within_s=5)

    async def insist(self, script: str) -> None:
        """Run a script until it gives something: the page may be between two documents."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with suppress(PageSilent):
                    if await self.script(script):
                        return
                await asyncio.sleep(0.02)

    async def _loudness(self) -> float:
        assert self.driver.page
        return self.driver._source.loudness(await self.driver.page.look(self.driver._site.data.query))

    async def _go(self) -> Outcome:
        try:
            await self.driver.join(self._note)
        except NotJoined as exc:
            return exc.outcome
        self.is_inside.set()
        return await self.driver.run()

    def _note(self, stage: Stage) -> None:
        if stage not in self.stages:
            self.stages.append(stage)

    async def _unless_over(self, done: Any) -> None:
        assert self._course
        async with asyncio.timeout(PATIENCE_S):
            while not done():
                assert not self._course.done(), self._course.result()
                await asyncio.sleep(0.05)


def a_guest(*, url: str, site: str, pin: str, folder: Path, passcode: str | None = None, **options: Any) -> Guest:
    """A bot that is about to join."""
    flags = [f"--ignore-certificate-errors-spki-list={pin}", *options.pop("flags", [])]
    settings = some_settings(
        folder / "token",
        platform=site if site not in ("conference", "jitsi") else "jitsi",
        meeting_url=url,
        bot_name=NAME,
        passcode=passcode,
        driver="browser",
        driver_options={"site": site, "evidence": str(folder), "join_s": 60, "flags": flags, **options},
    )
    return Guest(browser_driver(settings, clock=SystemClock()))
