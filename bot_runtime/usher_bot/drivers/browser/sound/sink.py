"""What takes a meeting's sound: one interface, and a feed that keeps a slow or broken sink from the others.

Slices are parts of one file, WebM with Opus or WAV: joined in their order they play, whatever was lost at the end.
"""

import asyncio
import logging
from contextlib import suppress
from typing import Any, Protocol

WAITING_SLICES = 120
LAST_S = 5.0

logger = logging.getLogger(__name__)


class Sink(Protocol):
    """Takes slices and events, one after another. What it raises ends it, and nothing else."""

    async def open(self) -> None:
        """Get ready; called once, before everything else."""
        ...

    async def take(self, data: bytes) -> None:
        """Take the next slice."""
        ...

    async def note(self, event: dict[str, Any]) -> None:
        """Take an event, such as a change of speaker."""
        ...

    async def close(self) -> None:
        """Everything was handed over; called once if `open` was."""
        ...


class Feed:
    """One sink with a queue of its own."""

    def __init__(self, sink: Sink, *, name: str) -> None:
        self._sink = sink
        self._name = name
        self._waiting: asyncio.Queue[bytes | dict[str, Any] | None] = asyncio.Queue(WAITING_SLICES)
        self._pump: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to hand over."""
        self._pump = asyncio.create_task(self._run())

    def put(self, item: bytes | dict[str, Any]) -> None:
        """Hand over later; a sink that is two minutes behind is given up."""
        if self._pump is None or self._pump.done():
            return
        try:
            self._waiting.put_nowait(item)
        except asyncio.QueueFull:
            self._pump.cancel()
            logger.error("The sink %s is too slow and is given up.", self._name, extra={"action": "sink_too_slow"})

    async def finish(self) -> None:
        """Return when everything was handed over, or soon after."""
        if self._pump is None:
            return
        with suppress(asyncio.QueueFull):
            self._waiting.put_nowait(None)
        await asyncio.wait([self._pump], timeout=LAST_S)
        self._pump.cancel()

    async def _run(self) -> None:
        try:
            await self._sink.open()
            try:
                await self._hand_over()
            finally:
                await self._sink.close()
        except Exception:
            logger.exception("The sink %s failed and gets no more.", self._name, extra={"action": "sink_failed"})

    async def _hand_over(self) -> None:
        while (item := await self._waiting.get()) is not None:
            if isinstance(item, bytes):
                await self._sink.take(item)
            else:
                await self._sink.note(item)
