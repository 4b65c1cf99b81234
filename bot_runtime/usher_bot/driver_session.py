"""The driver's side of a run: into the meeting, configured while there, and out again.

The session translates what the driver does into the bot's state and its milestones, and what the driver raises into an
outcome whose detail is bounded and free of secrets. `run` is called once.
"""

import asyncio
import logging
from dataclasses import replace

from usher_bot.commands import Inbox
from usher_bot.drivers.base import Driver, NotJoined
from usher_bot.exit_codes import Outcome, driver_error, outside
from usher_bot.heartbeat import HeartbeatLoop
from usher_bot.milestones import Milestones
from usher_bot.redaction import Redactor
from usher_bot.state import BotState
from usher_models.states import Stage, Status
from usher_models.wire import Command

DETAIL_LENGTH = 1000

logger = logging.getLogger(__name__)


class DriverSession:
    """One driver in one meeting."""

    def __init__(
        self,
        *,
        driver: Driver,
        state: BotState,
        heartbeats: HeartbeatLoop,
        milestones: Milestones,
        inbox: Inbox,
        redactor: Redactor,
    ) -> None:
        self._driver = driver
        self._state = state
        self._heartbeats = heartbeats
        self._milestones = milestones
        self._inbox = inbox
        self._redactor = redactor
        self.in_meeting = asyncio.Event()

    async def run(self) -> Outcome:
        """Join and stay; the driver's own outcome."""
        outcome = await self._run()
        if outcome.detail is None:
            return outcome
        return replace(outcome, detail=self._redactor.clean(outcome.detail)[:DETAIL_LENGTH])

    async def _run(self) -> Outcome:
        try:
            await self._driver.join(self._report_stage)
            self._report_joined()
            return await self._driver.run()
        except NotJoined as exc:
            return outside(exc.outcome)
        except Exception as exc:
            logger.exception("The driver failed.", extra={"action": "driver_failed"})
            return driver_error(f"{type(exc).__name__}: {exc}")

    def explain(self) -> str | None:
        """What the driver waits for, if that takes long."""
        return self._state.explain()

    def announce_leaving(self) -> None:
        """The bot leaves; from now on no report of the driver changes its status."""
        self._state.status = Status.STOPPING
        self._state.stage = Stage.LEAVING
        self._milestones.stopping()

    async def leave(self) -> None:
        """Get the driver out."""
        try:
            await self._driver.leave()
        except Exception:
            logger.exception("The driver failed to leave.", extra={"action": "leave_failed"})

    async def apply_reconfigurations(self) -> None:
        """Apply reconfigurations for ever, one after another."""
        while True:
            command = await self._inbox.next_reconfiguration()
            if self._state.is_newer(command.generation):
                await self._reconfigure(command)

    async def _reconfigure(self, command: Command) -> None:
        try:
            await self._driver.reconfigure(command)
        except Exception:
            logger.exception("The driver did not take on the configuration.", extra={"action": "reconfigure_failed"})
            self._inbox.forget(command)
            return
        if command.generation is not None:
            self._state.applied_generation = command.generation
        self._heartbeats.send_now()

    def _report_stage(self, stage: Stage) -> None:
        if self._state.status is Status.STARTING and stage is not self._state.stage:
            self._state.stage = stage
            self._milestones.stage(stage)
            logger.info("The bot is now in stage %s.", stage, extra={"action": "stage_reached", "stage": stage})

    def _report_joined(self) -> None:
        if self._state.status is not Status.STARTING:
            return
        self._state.status = Status.ACTIVE
        self._state.stage = Stage.IN_MEETING
        self.in_meeting.set()
        self._milestones.joined()
        logger.info("The bot is in the meeting.", extra={"action": "joined"})
