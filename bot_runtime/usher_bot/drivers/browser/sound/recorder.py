"""Records a meeting: its source hands slices out, and each sink gets them all."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from usher_bot.drivers.browser.page import Page, Reading
from usher_bot.drivers.browser.sound.sink import Feed
from usher_bot.drivers.browser.sound.source import Source

logger = logging.getLogger(__name__)


class Recorder:
    """One recording, from admission to the end. Without sinks it only knows how loud it is."""

    def __init__(self, source: Source, feeds: Sequence[Feed], *, now: Callable[[], float] = time.time) -> None:
        self._source = source
        self._feeds = feeds
        self._now = now
        self._started = False
        self._began_at = now()

    async def prepare(self, page: Page) -> None:
        """Before the page opens."""
        if self._feeds:
            await self._source.prepare(page, self._take)

    async def start(self) -> None:
        """Record from now on."""
        if not self._feeds:
            return
        for feed in self._feeds:
            feed.start()
        self._started, self._began_at = True, self._now()
        await self._source.start()
        logger.info("The recording began.", extra={"action": "recording_started"})

    def loudness(self, reading: Reading) -> float:
        """How loud the others are now: 0 is silence, 1 as loud as can be."""
        return self._source.loudness(reading)

    def note(self, kind: str, *, ago_s: float = 0.0, **details: Any) -> None:
        """Tell the sinks what happened, such as who speaks: at which time, and how long after the recording began."""
        at = self._now() - ago_s
        for feed in self._feeds:
            feed.put({"at": at, "seconds": round(max(0.0, at - self._began_at), 2), "kind": kind, **details})

    async def stop(self) -> None:
        """Get the last slice, if there still is one, and let the sinks finish."""
        if not self._started:
            return
        self._started = False
        await self._source.stop()
        await asyncio.gather(*(feed.finish() for feed in self._feeds))

    def _take(self, data: bytes) -> None:
        for feed in self._feeds:
            feed.put(data)
