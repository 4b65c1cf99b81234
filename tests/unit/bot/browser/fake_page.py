"""A page and a browser that a test writes: what is shown, and what a click changes."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from usher_bot.clock import Clock
from usher_bot.drivers.browser.page import BrowserFailed, Death, Page, PageSilent, Query, Reading, Receive, Target

PREJOIN = Reading(found={'[data-testid="screen.prejoin"]': [""]})
LOBBY = Reading(found={'[data-testid="screen.lobby"]': ["Asking to be let in"]})
INSIDE = Reading(found={'[data-testid="screen.meeting"]': [""]})
PASSCODE = Reading(found={'[data-testid="screen.password"]': [""]})
BLANK = Reading(url="https://meeting.example/odd?secret=1", title="Odd", text="ask somebody@example.com for swordfish")


def gone(words: str) -> Reading:
    """The page after the meeting."""
    return Reading(found={'[data-testid="screen.gone"]': [words]})


class FakePage:
    """Shows one reading until the test, or a click, sets another."""

    def __init__(self, clock: Clock) -> None:
        self.shows = PREJOIN
        self.names: list[str] | None = ["Host"]
        self.captions: list[list[str | None]] | None = None
        self.level = 0.1
        self.counters: list[dict[str, Any]] = []
        self.received: Callable[[], float] = clock.now
        self.silent = False
        self.browser_lives = True
        self.bytes_held = 300 * 2**20
        self.on_click: Callable[[Target], None] = lambda target: None
        self.clicked: list[Target] = []
        self.typed: list[str] = []
        self.opened: list[str] = []
        self.death: asyncio.Future[Death] = asyncio.get_running_loop().create_future()
        self._clock = clock

    async def bind(self, name: str, receive: Receive) -> None:
        """Nothing calls."""

    async def open(self, url: str) -> None:
        self.opened.append(url)

    async def look(self, query: Query) -> Reading:
        await self._answer(5)
        asked = {script: self._value(script) for script in query.scripts}
        return replace(self.shows, scripts={**asked, **self.shows.scripts})

    async def fill(self, target: Target, text: str) -> bool:
        await self._answer(5)
        self.typed.append(text)
        return True

    async def click(self, target: Target) -> bool:
        await self._answer(5)
        self.clicked.append(target)
        self.on_click(target)
        return True

    async def evaluate(self, script: str, *, within_s: float) -> Any:
        await self._answer(within_s)
        if "counters" in script:
            return [{**it, "received": self.received()} for it in self.counters]
        return self._value(script)

    async def browser_answers(self, *, within_s: float) -> bool:
        return self.browser_lives

    async def memory(self, *, within_s: float) -> int:
        return self.bytes_held

    async def picture(self) -> bytes:
        return b"PNG"

    def _value(self, script: str) -> Any:
        if "level" in script:
            return self.level
        if "captions" in script:
            return self.captions
        return self.names if "people" in script else None

    async def _answer(self, within_s: float) -> None:
        if self.silent:
            await self._clock.sleep(within_s)
            raise PageSilent("The page did not answer in time.")


class FakeBrowser:
    """Opens the page that the test made."""

    def __init__(self, page: FakePage) -> None:
        self.page = page
        self.sandboxed = True
        self.fails = False
        self.stopped = False

    async def start(self) -> Page:
        if self.fails:
            raise BrowserFailed("Chromium did not start.")
        return self.page

    async def stop(self) -> None:
        self.stopped = True
