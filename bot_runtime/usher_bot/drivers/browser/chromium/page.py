"""One tab: looking, filling, clicking and asking, each with an end to its patience."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

from playwright.async_api import Browser as PlaywrightBrowser
from playwright.async_api import BrowserContext, CDPSession, Frame, Locator
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page as PlaywrightPage

from usher_bot.drivers.browser.page import Death, PageSilent, Query, Reading, Receive, Target, plain

OPEN_S = 45.0
ACT_S = 3.0
LOOK_S = 5.0
CLOSE_S = 2.0
CLICKABLE = 'button, [role="button"], a, input[type="submit"], [role="link"]'

LOOK = (files("usher_bot.drivers.browser") / "look.js").read_text(encoding="utf-8")


@asynccontextmanager
async def _answer(within_s: float) -> AsyncIterator[None]:
    """Whatever Playwright raises, and its silence, as PageSilent."""
    try:
        async with asyncio.timeout(within_s):
            yield
    except TimeoutError as exc:
        raise PageSilent("The page did not answer in time.") from exc
    except PlaywrightError as exc:
        raise PageSilent(exc.message.splitlines()[0][:200]) from exc


class ChromiumPage:
    """One tab."""

    def __init__(self, page: PlaywrightPage, *, context: BrowserContext, browser: PlaywrightBrowser) -> None:
        self._page = page
        self._context = context
        self.death: asyncio.Future[Death] = asyncio.get_running_loop().create_future()
        self._session: CDPSession | None = None
        self._closing: asyncio.Future[None] | None = None
        page.on("crash", lambda _: self.die(Death.PAGE_CRASHED))
        page.on("close", lambda _: self._closed())
        browser.on("disconnected", lambda _: self.die(Death.BROWSER_CRASHED))

    def die(self, death: Death) -> None:
        """The first cause counts."""
        if not self.death.done():
            self.death.set_result(death)

    def _closed(self) -> None:
        """A tab closes by itself, or because its browser ends; which event comes first tells nothing."""
        self._closing = asyncio.ensure_future(self._whose_end())

    async def _whose_end(self) -> None:
        lives = await self.browser_answers(within_s=CLOSE_S)
        self.die(Death.PAGE_CRASHED if lives else Death.BROWSER_CRASHED)

    async def bind(self, name: str, receive: Receive) -> None:
        async def call(_source: Any, text: str) -> None:
            await receive(text)

        await self._context.expose_binding(name, call)

    async def open(self, url: str) -> None:
        async with _answer(OPEN_S + 1):
            await self._page.goto(url, wait_until="domcontentloaded", timeout=OPEN_S * 1000)

    async def look(self, query: Query) -> Reading:
        async with _answer(LOOK_S):
            main = await self._page.evaluate(_look(query.css, query.scripts))
            title = await self._page.title()
            inner = _look(query.css, ())
            rest = [await self._look_into(frame, inner) for frame in self._page.frames[1:]]
        values = dict(zip(query.scripts, main["scripts"], strict=True))
        return _reading([main, *filter(None, rest)], url=self._page.url, title=title, scripts=values)

    async def _look_into(self, frame: Frame, look: str) -> dict[str, Any] | None:
        """What an inner frame shows; nothing if it is invisible, or goes away meanwhile."""
        with suppress(PlaywrightError):
            element = await frame.frame_element()
            if await element.is_visible():
                found: dict[str, Any] = await frame.evaluate(look)
                return found
        return None

    async def fill(self, target: Target, text: str) -> bool:
        async with _answer(2 * ACT_S):
            field = await self._first(target)
            if field is None:
                return False
            if await field.input_value(timeout=ACT_S * 1000) != text:
                await field.fill(text, timeout=ACT_S * 1000)
            return True

    async def click(self, target: Target) -> bool:
        async with _answer(2 * ACT_S):
            wanted = await self._first(target)
            if wanted is None:
                return False
            with suppress(PlaywrightError):
                await wanted.click(timeout=ACT_S * 1000)
                return True
            return False

    async def evaluate(self, script: str, *, within_s: float) -> Any:
        async with _answer(within_s):
            return await self._page.evaluate(script)

    async def browser_answers(self, *, within_s: float) -> bool:
        with suppress(PageSilent):
            await self._ask_browser("Browser.getVersion", within_s=within_s)
            return True
        return False

    async def memory(self, *, within_s: float) -> int:
        with suppress(PageSilent):
            found = await self._ask_browser("SystemInfo.getProcessInfo", within_s=within_s)
            tabs = [int(process["id"]) for process in found["processInfo"] if process["type"] == "renderer"]
            return max(map(_resident, tabs), default=0)
        return 0

    async def _ask_browser(self, method: str, *, within_s: float) -> Any:
        async with _answer(within_s):
            browser = self._context.browser
            if browser is None or not browser.is_connected():
                raise PageSilent("The browser is gone.")
            self._session = self._session or await browser.new_browser_cdp_session()
            return await self._session.send(method)

    async def picture(self) -> bytes:
        async with _answer(LOOK_S):
            return await self._page.screenshot()

    async def _first(self, target: Target) -> Locator | None:
        """The first visible and enabled element, in any frame."""
        for frame in self._page.frames:
            for locator in _locators(frame, target):
                for candidate in await locator.all():
                    if await candidate.is_visible() and await candidate.is_enabled(timeout=ACT_S * 1000):
                        return candidate
        return None


def _resident(pid: int) -> int:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _locators(frame: Frame, target: Target) -> list[Locator]:
    """One locator per way: selectors, clickable texts, or selectors narrowed by texts where both are given."""
    if not target.text:
        return [frame.locator(selector) for selector in target.css]
    found = frame.locator(", ".join(target.css) or CLICKABLE)
    return [found.filter(has_text=_says(text)) for text in target.text]


def _says(text: str) -> re.Pattern[str]:
    """A text as a page may write it: any case, either apostrophe, perhaps with an icon's name around it."""
    apostrophe = "['\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}]"
    return re.compile(re.escape(text).replace("'", apostrophe), re.IGNORECASE)


def _look(css: Sequence[str], scripts: Sequence[str]) -> str:
    """The script that reads a frame."""
    functions = ", ".join(f"() => ({script.strip()})" for script in scripts)
    return f"({LOOK})({json.dumps(list(css))}, [{functions}])"


def _reading(frames: list[dict[str, Any]], *, url: str, title: str, scripts: dict[str, Any]) -> Reading:
    found: dict[str, list[str]] = {}
    for frame in frames:
        for selector, texts in frame["found"].items():
            found.setdefault(selector, []).extend(texts)
    text = " ".join(frame["text"] for frame in frames)
    return Reading(url=url, title=title, text=plain(text), found=found, scripts=scripts)
