"""One Chromium for many short visits: each gets a context of its own, as if it were a browser of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from playwright.async_api import Browser as PlaywrightBrowser
from playwright.async_api import BrowserContext, async_playwright

from usher_bot.drivers.browser.chromium.browser import TAP
from usher_bot.drivers.browser.chromium.page import ChromiumPage
from usher_bot.drivers.browser.flags import ALWAYS
from usher_bot.drivers.browser.page import Page


@dataclass
class SharedBrowser:
    """A context in a browser that others use too."""

    browser: PlaywrightBrowser
    sandboxed: bool = False
    _context: BrowserContext | None = field(default=None, init=False)

    async def start(self) -> Page:
        self._context = await self.browser.new_context(locale="en-US", viewport={"width": 1280, "height": 720})
        await self._context.add_init_script(TAP)
        return ChromiumPage(await self._context.new_page(), context=self._context, browser=self.browser)

    async def stop(self) -> None:
        if self._context:
            await self._context.close()


@asynccontextmanager
async def a_shared_chromium(*flags: str) -> AsyncIterator[PlaywrightBrowser]:
    """Chromium with the driver's own flags."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=[*ALWAYS, "--no-sandbox", *flags]
        )
        yield browser
        await browser.close()
