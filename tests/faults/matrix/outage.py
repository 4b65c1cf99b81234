"""The ways in which something goes wrong, and what a thing must be able to do to be taken through all of them."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from tests.faults.harness.installation import Installation
from tests.faults.harness.proxy import Proxy, Way
from tests.load.plane import UsherProcess


class Fault(StrEnum):
    """One column of the matrix."""

    REFUSED = "refused"
    HALF_OPEN = "half-open"
    SLOW = "2 s slow"
    RESTART = "restarted"
    AWAY_30_S = "30 s away"
    AWAY_3_MIN = "3 min away"


LASTS_S = {
    Fault.REFUSED: 25.0,
    Fault.HALF_OPEN: 40.0,
    Fault.SLOW: 30.0,
    Fault.RESTART: 0.0,
    Fault.AWAY_30_S: 30.0,
    Fault.AWAY_3_MIN: 180.0,
}

WAYS = {Fault.REFUSED: Way.REFUSED, Fault.HALF_OPEN: Way.HALF_OPEN, Fault.SLOW: Way.SLOW}


class Breakable(Protocol):
    """Something that Usher needs, on one installation."""

    async def begin(self, fault: Fault) -> None:
        """It goes wrong."""

    async def end(self, fault: Fault) -> None:
        """It is well again."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server behind proxies, which break the way to it, and which can be killed and started."""

    proxies: Sequence[Proxy]
    kill: Callable[[], None]
    start: Callable[[], None]

    async def begin(self, fault: Fault) -> None:
        """See Breakable."""
        if fault in WAYS:
            await turn(self.proxies, WAYS[fault])
        else:
            await asyncio.to_thread(self.kill)

    async def end(self, fault: Fault) -> None:
        """See Breakable."""
        if fault in WAYS:
            await turn(self.proxies, Way.OPEN)
        else:
            await asyncio.to_thread(self.start)


async def turn(proxies: Sequence[Proxy], way: Way) -> None:
    """Turn all of them."""
    await asyncio.gather(*(proxy.turn(way) for proxy in proxies))


async def die(process: UsherProcess) -> None:
    """SIGKILL."""
    await process.stop(signal.SIGKILL)


def both(installation: Installation, name: str) -> tuple[Proxy, ...]:
    """The proxies of that name, of `serve` and of `operate`."""
    return tuple(getattr(ways, name) for ways in installation.ways.values())
