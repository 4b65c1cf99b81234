"""What the browser plays, for pages that play without remote tracks.

It is kept as it comes, as WAV: an encoder would cost the image more than the sound server does.
"""

import wave
from array import array
from collections.abc import Mapping
from io import BytesIO
from math import sqrt

from usher_bot.drivers.browser.page import Page, Reading
from usher_bot.drivers.browser.sound.server import RATE, SoundServer
from usher_bot.drivers.browser.sound.source import Take

LOUDEST = 2**15
BYTES = 2
# The header is written before the end is known: as long as a WAV file can be.
ENDLESS = (2**32 - 64) // BYTES


class Played:
    """Slices of `slice_s` seconds: 16 kHz, one channel, 16 bits. The first begins with the header of a WAV file."""

    suffix = "wav"

    def __init__(self, *, slice_s: float) -> None:
        self._slice = int(slice_s * RATE) * BYTES
        self._take: Take | None = None
        self._kept: bytearray | None = None
        self._loudness = 0.0
        self._server = SoundServer(self._hear)

    @property
    def environment(self) -> Mapping[str, str]:
        return self._server.environment

    async def open(self) -> None:
        await self._server.start()

    async def prepare(self, page: Page, take: Take) -> None:
        self._take = take

    async def start(self) -> None:
        self._kept = bytearray(_header())

    async def stop(self) -> None:
        if self._kept and self._take:
            self._take(bytes(self._kept))
        self._kept = None

    async def close(self) -> None:
        await self._server.stop()

    def loudness(self, reading: Reading) -> float:
        return self._loudness

    def _hear(self, samples: bytes) -> None:
        self._loudness = _loudness(samples)
        if self._kept is None or self._take is None:
            return
        self._kept += samples
        while len(self._kept) >= self._slice:
            self._take(bytes(self._kept[: self._slice]))
            del self._kept[: self._slice]


def _loudness(samples: bytes) -> float:
    values = array("h", samples[: len(samples) // BYTES * BYTES])
    return sqrt(sum(value * value for value in values) / len(values)) / LOUDEST if values else 0.0


def _header() -> bytes:
    written = BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(BYTES)
        file.setframerate(RATE)
        file.setnframes(ENDLESS)
        file.writeframesraw(b"")
        return written.getvalue()
