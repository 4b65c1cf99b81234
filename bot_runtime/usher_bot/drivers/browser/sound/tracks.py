"""The page's own remote tracks, which a script in the page mixes and records as Opus in WebM."""

import asyncio
import base64
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType

from usher_bot.drivers.browser.page import Page, PageSilent, Reading
from usher_bot.drivers.browser.signs import LOUDNESS
from usher_bot.drivers.browser.sound.source import Take

BINDING = "usherSlice"
END_S = 3.0
ACT_S = 5.0


class Tracks:
    """Slices of `slice_s` seconds with `bits` bits a second, which the page hands out by a binding."""

    suffix = "webm"
    environment: Mapping[str, str] = MappingProxyType({})

    def __init__(self, *, slice_s: float, bits: int) -> None:
        self._slice_ms = int(slice_s * 1000)
        self._bits = bits
        self._ended = asyncio.Event()
        self._page: Page | None = None
        self._take: Take | None = None

    async def open(self) -> None:
        """The page brings everything."""

    async def prepare(self, page: Page, take: Take) -> None:
        self._page, self._take = page, take
        await page.bind(BINDING, self._receive)

    async def start(self) -> None:
        if self._page:
            with suppress(PageSilent):
                await self._page.evaluate(f"window.__usherTap.record({self._slice_ms}, {self._bits})", within_s=ACT_S)

    async def stop(self) -> None:
        if self._page is None or self._page.death.done():
            return
        with suppress(PageSilent, TimeoutError):
            await self._page.evaluate("window.__usherTap.stop()", within_s=END_S)
            async with asyncio.timeout(END_S):
                await self._ended.wait()

    async def close(self) -> None:
        """Nothing is left."""

    def loudness(self, reading: Reading) -> float:
        return float(reading.scripts.get(LOUDNESS) or 0)

    async def _receive(self, text: str) -> None:
        if not text:
            self._ended.set()
        elif self._take:
            self._take(base64.b64decode(text))
