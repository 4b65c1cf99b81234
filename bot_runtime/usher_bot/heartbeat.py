"""Heartbeats from the moment `started` was accepted until the end.

A heartbeat carries the newest state and is tried until the next one is due, never longer, and never queued. The control
plane sets the interval with `next_beat_s`. Whatever goes wrong in one heartbeat, the next one follows.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import NoReturn

from usher_bot.clock import Clock, first_of
from usher_bot.control_plane import ControlPlane
from usher_bot.drivers.base import Faults
from usher_bot.errors import Dismissed
from usher_bot.state import BotState

logger = logging.getLogger(__name__)


class HeartbeatLoop:
    """Sends heartbeats. `participants` and `is_alive` are asked anew for each one."""

    def __init__(
        self,
        *,
        control_plane: ControlPlane,
        state: BotState,
        participants: Callable[[], int | None],
        is_alive: Callable[[], bool],
        faults: Faults,
        interval_s: float,
        clock: Clock,
    ) -> None:
        self._control_plane = control_plane
        self._state = state
        self._participants = participants
        self._is_alive = is_alive
        self._faults = faults
        self._interval_s = interval_s
        self._clock = clock
        self._wanted_now = asyncio.Event()

    def send_now(self) -> None:
        """The state changed: send the next heartbeat at once."""
        self._wanted_now.set()

    async def run(self, *, first_after_s: float | None) -> NoReturn:
        """Send heartbeats for ever. Raises Dismissed when the bot must exit."""
        delay = first_after_s or self._interval_s
        due = self._clock.now() + delay
        while True:
            await first_of(self._clock.sleep(max(0.0, due - self._clock.now())), self._wanted_now.wait())
            self._wanted_now.clear()
            began = self._clock.now()
            delay = await self._beat_once(delay)
            due = began + delay

    def _has_life(self) -> bool:
        if self._is_alive():
            return True
        logger.warning("No heartbeat goes out: the driver shows no life.", extra={"action": "heartbeat_withheld"})
        return False

    async def _beat_once(self, delay: float) -> float:
        """One beat; how long after its begin the next one is due."""
        if self._faults.sends_no_heartbeats or not self._has_life():
            return delay
        try:
            answer = await self._control_plane.heartbeat(self._state, participants=self._participants(), within_s=delay)
        except Dismissed:
            if not self._faults.ignores_leave:
                raise
            return delay
        except Exception:
            logger.exception("A heartbeat failed.", extra={"action": "heartbeat_failed"})
            return delay
        if answer is None:
            return delay
        return answer.next_beat_s or self._interval_s
