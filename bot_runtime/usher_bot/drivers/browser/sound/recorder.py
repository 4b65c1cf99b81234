"""Records what the page mixes: the page hands slices out by a binding, and each sink gets them all."""

import asyncio
import base64
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from usher_bot.drivers.browser.page import Page, PageSilent
from usher_bot.drivers.browser.sound.sink import Feed

BINDING = "usherSlice"
END_S = 3.0
ACT_S = 5.0

logger = logging.getLogger(__name__)


class Recorder:
    """One recording, from admission to the end. Without sinks it does nothing."""

    def __init__(
        self, page: Page, feeds: Sequence[Feed], *, slice_s: float, bits: int, now: Callable[[], float] = time.time
    ) -> None:
        self._page = page
        self._feeds = feeds
        self._slice_ms = int(slice_s * 1000)
        self._bits = bits
        self._now = now
        self._ended = asyncio.Event()
        self._started = False
        self._began_at = now()

    async def prepare(self) -> None:
        """Before the page opens."""
        if self._feeds:
            await self._page.bind(BINDING, self._receive)

    async def start(self) -> None:
        """Record from now on."""
        if not self._feeds:
            return
        for feed in self._feeds:
            feed.start()
        self._started, self._began_at = True, self._now()
        with suppress(PageSilent):
            await self._page.evaluate(f"window.__usherTap.record({self._slice_ms}, {self._bits})", within_s=ACT_S)
            logger.info("The recording began.", extra={"action": "recording_started"})

    def note(self, kind: str, *, ago_s: float = 0.0, **details: Any) -> None:
        """Tell the sinks what happened, such as who speaks: at which time, and how long after the recording began."""
        at = self._now() - ago_s
        for feed in self._feeds:
            feed.put({"at": at, "seconds": round(max(0.0, at - self._began_at), 2), "kind": kind, **details})

    async def stop(self) -> None:
        """Get the last slice out of the page, if it still gives one, and let the sinks finish."""
        if not self._started:
            return
        self._started = False
        with suppress(PageSilent, TimeoutError):
            if not self._page.death.done():
                await self._page.evaluate("window.__usherTap.stop()", within_s=END_S)
                async with asyncio.timeout(END_S):
                    await self._ended.wait()
        await asyncio.gather(*(feed.finish() for feed in self._feeds))

    async def _receive(self, text: str) -> None:
        if not text:
            self._ended.set()
            return
        data = base64.b64decode(text)
        for feed in self._feeds:
            feed.put(data)
