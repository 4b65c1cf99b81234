"""The simulated driver: a meeting without a browser, and every way a bot is known to go wrong.

It joins nothing. Its options say how long each phase takes and how it misbehaves; the faults are real, so a crash
takes the process down and a hang blocks the event loop.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from typing import Annotated, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field

from usher_bot.clock import Clock
from usher_bot.drivers.base import Faults, NotJoined, ReportStage
from usher_bot.exit_codes import ADMISSION_DENIED, EVICTED, MEETING_ENDED, Outcome
from usher_models.states import Stage
from usher_models.wire import Command

Behaviour = Literal["normal", "crash", "hang", "silent", "ignore_leave", "evicted", "denied", "lobby", "zombie", "oom"]
Seconds = Annotated[float, Field(ge=0, le=604_800)]

logger = logging.getLogger(__name__)


class SimulatedOptions(BaseModel):
    """How long each phase takes, and what goes wrong `after_s` after joining."""

    model_config = ConfigDict(extra="forbid")

    boot_s: Seconds = 1
    lobby_s: Seconds = 2
    meeting_s: Seconds = 3600
    leave_s: Seconds = 1
    behaviour: Behaviour = "normal"
    after_s: Seconds = 0
    exit_code: Annotated[int, Field(ge=0, le=255)] = 1
    participants: Annotated[int, Field(ge=0, le=100_000)] = 3


def exit_at_once(code: int) -> NoReturn:
    """End the process at once, with no report and no clean-up."""
    logging.shutdown()
    os._exit(code)


def hang() -> NoReturn:
    """Block the event loop for ever: no heartbeats, and SIGTERM is never looked at."""
    while True:
        time.sleep(3600)


def eat_memory() -> NoReturn:
    """Allocate and touch memory until the kernel kills the process."""
    chunks = []
    while True:
        chunks.append(b"x" * (16 * 1024 * 1024))


class SimulatedDriver:
    """Waits instead of joining. The three fatal acts can be replaced, because a test must survive them."""

    def __init__(
        self,
        options: SimulatedOptions,
        *,
        clock: Clock,
        faults: Faults,
        exit_at_once: Callable[[int], None] = exit_at_once,
        hang: Callable[[], None] = hang,
        eat_memory: Callable[[], None] = eat_memory,
    ) -> None:
        self._options = options
        self._clock = clock
        self._faults = faults
        self._faults.ignores_leave = options.behaviour in ("ignore_leave", "zombie")
        self._fatal = {"crash": lambda: exit_at_once(options.exit_code), "hang": hang, "oom": eat_memory}
        self._is_out = True
        self._never = asyncio.Event()

    @property
    def participants(self) -> int | None:
        return None if self._is_out else self._options.participants

    @property
    def is_alive(self) -> bool:
        return True

    async def join(self, report_stage: ReportStage) -> None:
        await self._clock.sleep(self._options.boot_s)
        report_stage(Stage.JOINING)
        if self._options.lobby_s or self._options.behaviour in ("denied", "lobby", "zombie"):
            await self._wait_in_lobby(report_stage)
        self._is_out = False

    async def run(self) -> Outcome:
        if self._options.behaviour == "normal":
            return await self._until_the_end()
        await self._clock.sleep(self._options.after_s)
        return await self._misbehave(self._options.behaviour)

    async def leave(self) -> None:
        if not self._is_out:
            await self._clock.sleep(self._options.leave_s)
        self._is_out = True

    async def reconfigure(self, command: Command) -> None:
        logger.info(
            "The simulated meeting takes on generation %s.", command.generation, extra={"action": "reconfigured"}
        )

    async def _wait_in_lobby(self, report_stage: ReportStage) -> None:
        report_stage(Stage.LOBBY)
        if self._options.behaviour in ("lobby", "zombie"):
            await self._never.wait()
        await self._clock.sleep(self._options.lobby_s)
        if self._options.behaviour == "denied":
            raise NotJoined(ADMISSION_DENIED)

    async def _misbehave(self, behaviour: Behaviour) -> Outcome:
        logger.warning("The simulated bot now misbehaves: %s.", behaviour, extra={"action": "fault_injected"})
        if behaviour in self._fatal:
            self._fatal[behaviour]()
        if behaviour == "evicted":
            self._is_out = True
            return EVICTED
        if behaviour == "ignore_leave":
            await self._never.wait()
        self._faults.sends_no_heartbeats = behaviour == "silent"
        return await self._until_the_end()

    async def _until_the_end(self) -> Outcome:
        await self._clock.sleep(self._options.meeting_s)
        self._is_out = True
        return MEETING_ENDED
