"""Milestones on their way to the control plane, in their order and without holding up the bot.

`joined`, `stopping` and the stages are delivered one after another, because one that overtook another would report
an older state last. A stage that was followed by something newer before its turn came is left out.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NoReturn

from usher_bot.control_plane import ControlPlane
from usher_models.states import Stage, Status


@dataclass(frozen=True)
class _Milestone:
    deliver: Callable[[], Awaitable[bool]]
    may_be_skipped: bool


class Milestones:
    """Delivers milestones for one run; `exited` makes up for those that are undelivered at its end."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self._control_plane = control_plane
        self._waiting: deque[_Milestone] = deque()
        self._filled = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def joined(self) -> None:
        """The bot is in the meeting."""
        self._put(_Milestone(self._control_plane.joined, may_be_skipped=False))

    def stopping(self) -> None:
        """The bot is leaving."""
        status, stage = Status.STOPPING, Stage.LEAVING
        self._put(_Milestone(lambda: self._control_plane.status(status=status, stage=stage), may_be_skipped=False))

    def stage(self, stage: Stage) -> None:
        """The bot moved on within its status."""
        self._put(_Milestone(lambda: self._control_plane.status(stage=stage), may_be_skipped=True))

    async def deliver(self) -> NoReturn:
        """Deliver for ever. Raises Dismissed when the bot must exit."""
        while True:
            await self._filled.wait()
            milestone = self._waiting.popleft()
            if not (milestone.may_be_skipped and self._waiting):
                await milestone.deliver()
            if not self._waiting:
                self._filled.clear()
                self._empty.set()

    async def delivered(self) -> None:
        """Return when nothing waits any more."""
        await self._empty.wait()

    def _put(self, milestone: _Milestone) -> None:
        self._waiting.append(milestone)
        self._empty.clear()
        self._filled.set()
