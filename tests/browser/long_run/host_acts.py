"""What the host of a long run does, in turn, and what each bot must still report afterwards."""

import asyncio
import itertools
import time
from collections import Counter
from dataclasses import dataclass, field

from playwright.async_api import Error as PlaywrightError

from dev.conference.host import Host
from tests.browser.long_run.bots import Bot

REST_S = 10.0
SETTLED_S = 20.0
MESSAGES = 50
GUESTS = 2


@dataclass
class Acts:
    """The acts so far, those that the page did not take, and those after which a bot did not count the others right."""

    host: Host
    bots: list[Bot]
    done: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    miscounted: list[str] = field(default_factory=list)
    slowest_s: float = 0.0

    async def go_on(self, *, until: float) -> None:
        """One act after another, in the same order, until that moment."""
        acts = {
            "speak": self._speak,
            "mute": self._mute,
            "chat": self._chat,
            "crowd": self._crowd,
            "reload": self._reload,
        }
        for name in itertools.cycle(acts):
            if time.monotonic() >= until:
                return
            try:
                await acts[name]()
                self.done[name] += 1
            except PlaywrightError as exc:
                # The host's own trouble, on a machine with too much to do, and no bot's.
                self.failed.append(f"{name}: {exc.message.splitlines()[0][:80]}")
                await self.host.come()
            await self._check(name)
            await asyncio.sleep(max(0.0, min(REST_S, until - time.monotonic())))

    async def _speak(self) -> None:
        await self.host.set_microphone(on=True)

    async def _mute(self) -> None:
        await self.host.set_microphone(on=False)

    async def _chat(self) -> None:
        await self.host.chat(f"{number}: you were removed from the meeting" for number in range(MESSAGES))

    async def _crowd(self) -> None:
        await self.host.come_by([f"Guest {number}" for number in range(GUESTS)])

    async def _reload(self) -> None:
        await self.host.come()

    async def _check(self, act: str) -> None:
        """Each bot's heartbeats must say how many others there are, soon after."""
        began, others = time.monotonic(), len(self.bots)
        while wrong := [bot.participants for bot in self.bots if bot.participants != others]:
            if time.monotonic() - began >= SETTLED_S:
                self.miscounted.append(f"{act}: {wrong} instead of {others}")
                return
            await asyncio.sleep(0.2)
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
