"""Whether the page answers and its connection lives: what a heartbeat of a browser bot stands on.

A timer cannot tell a living meeting from a dead one. So the page is asked every other second; the browser's own
events say at once when a page or the browser is gone; and the counters of the peer connections say when the network
is. Connectivity checks go on in silence, so counters that stand still mean a connection that is lost.

A tab that eats memory falls silent before it crashes, on a slow machine for longer than a page may be silent. So
a silent tab that has become large is given some time to crash, and is called hung only if it does not.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from usher_bot.clock import Clock, first_of
from usher_bot.drivers.browser.page import Death, Page, PageSilent

EVERY_S = 2.0
ANSWER_S = 5.0
FRESH_S = 10.0
# The tabs of meetings that were measured have 0.1 to 0.4 GiB.
LARGE = 2**30
CRASH_S = 14.0
COUNTERS = "window.__usherTap?.counters() ?? []"

logger = logging.getLogger(__name__)


@dataclass
class Connection:
    """The peer connections of a page, judged by what they receive."""

    limit_s: float
    _was_up: bool = False
    _known: tuple[tuple[str, float], ...] = ()
    _moved_at: float = 0.0

    def note(self, counters: list[dict[str, Any]], *, now: float) -> bool:
        """Take in the counters of all open connections; False if what was connected has stood still for too long."""
        self._was_up = self._was_up or any(it["state"] == "connected" for it in counters)
        seen = tuple((str(it["state"]), float(it["received"])) for it in counters)
        if not self._was_up or (seen != self._known and _grew(self._known, seen)):
            self._moved_at = now
        self._known = seen
        return not self.limit_s or now - self._moved_at < self.limit_s


def _grew(before: tuple[tuple[str, float], ...], after: tuple[tuple[str, float], ...]) -> bool:
    """True if any connection is new or received more. One that only went away is no sign of life."""
    if len(after) > len(before):
        return True
    return any(new[1] > old[1] for old, new in zip(before, after, strict=False))


class Liveness:
    """Watches one page, from its opening to its end."""

    def __init__(self, page: Page, *, hung_s: float, network_s: float, clock: Clock) -> None:
        self._page = page
        self._hung_s = hung_s
        self._connection = Connection(network_s)
        self._clock = clock
        self._answered_at = clock.now()

    @property
    def is_fresh(self) -> bool:
        """True if the page has answered lately: only then may a heartbeat go out."""
        return not self._page.death.done() and self._clock.now() - self._answered_at < FRESH_S

    async def death(self) -> Death:
        """Return how the page died, once it has."""
        asking = asyncio.ensure_future(self._ask())
        try:
            await first_of(asking, self._page.death)
            return self._page.death.result() if self._page.death.done() else asking.result()
        finally:
            asking.cancel()

    async def _ask(self) -> Death:
        """Ask the page for ever; return when it has not answered for too long, or its connection is lost."""
        self._answered_at = self._clock.now()
        while True:
            try:
                counters = await self._page.evaluate(COUNTERS, within_s=ANSWER_S)
            except PageSilent:
                if self._clock.now() - self._answered_at >= self._hung_s:
                    return await self._whose_silence()
            else:
                self._answered_at = self._clock.now()
                if not self._connection.note(counters, now=self._answered_at):
                    return Death.NETWORK_LOST
            await self._clock.sleep(EVERY_S)

    async def _whose_silence(self) -> Death:
        if not await self._page.browser_answers(within_s=ANSWER_S):
            return Death.BROWSER_CRASHED
        if await self._page.memory(within_s=ANSWER_S) > LARGE:
            logger.warning("The page is silent and large: it may be about to crash.", extra={"action": "page_large"})
            await self._clock.sleep(CRASH_S)  # the event of its crash ends this
        return Death.PAGE_HUNG
