"""Where a control plane may die: every external write passes a switch, which can be set to strike at one of them.

A write is named after the function that makes it. A switch lives as long as one process would: when it strikes with
death, nothing that passes it goes on, and whoever waits on `died` drops the rest of the process.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NoReturn, TypeVar

Result = TypeVar("Result")


# Through which several functions write: the place is the one that called.
_PASSED_THROUGH = frozenset({"fenced"})


class Mode(StrEnum):
    """What goes wrong with a write."""

    DIE_BEFORE = "dies before"
    DIE_AFTER = "dies after"
    LOST = "reply lost"
    TWICE = "done twice"


@dataclass(frozen=True, order=True)
class Point:
    """The `nth` time that a life comes to the write `name`."""

    name: str
    nth: int


@dataclass(frozen=True)
class Strike:
    """What goes wrong, and where."""

    point: Point
    mode: Mode


@dataclass
class FaultInjector:
    """Counts every write, and strikes at most once."""

    strike: Strike | None = None
    passed: list[Point] = field(default_factory=list)
    struck: bool = False
    died: asyncio.Event = field(default_factory=asyncio.Event)
    again: bool = False
    _counts: Counter[str] = field(default_factory=Counter)

    async def pass_by(self, name: str) -> Mode | None:
        """What goes wrong with this write; dead processes do not get past here."""
        if self.died.is_set():
            await never()
        self._counts[name] += 1
        point = Point(name, self._counts[name])
        self.passed.append(point)
        if self.struck or self.strike is None or self.strike.point != point:
            return None
        self.struck = True
        return self.strike.mode

    async def around(
        self, name: str, write: Callable[[], Awaitable[Result]], *, lost: Callable[[], Exception] | None
    ) -> Result:
        """Do a write as the switch is set. `lost` is what a client sees when the reply is lost; None: nothing."""
        mode = await self.pass_by(name)
        if mode is Mode.DIE_BEFORE:
            await self.die()
        result = await write()
        if mode is Mode.DIE_AFTER:
            await self.die()
        if mode is Mode.TWICE:
            result = await write()
        if mode is Mode.LOST and lost is not None:
            raise lost()
        return result

    async def die(self) -> NoReturn:
        """The process ends here."""
        self.died.set()
        await never()

    def restarted(self) -> None:
        """Another process takes over; it counts on."""
        self.died = asyncio.Event()


async def never() -> NoReturn:
    """Wait for the end of the process."""
    while True:
        await asyncio.Event().wait()


def caller() -> str:
    """The function of Usher that is on the way to a write, such as `ensure.Ensurer._start`."""
    frame = sys._getframe(1)
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith("usher_operator") and frame.f_code.co_name not in _PASSED_THROUGH:
            return f"{module.removeprefix('usher_operator.')}.{frame.f_code.co_qualname}"
        frame = frame.f_back  # type: ignore[assignment]
    return "somewhere"
