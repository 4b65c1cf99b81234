"""The lifecycle of one bot, from the first callback to the last.

    started ─► join ─► joined ─► run ─► leave ─► exited

Several things can end it: the driver, a leave command, SIGTERM, a limit, or a dismissal. Each is one coroutine that
returns the outcome; the first to return decides, and later ones change nothing. Then the driver leaves within the grace
or is abandoned, and `exited` is sent.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from usher_bot.answers import Answer
from usher_bot.clock import Clock, first_of, never, within
from usher_bot.commands import Inbox
from usher_bot.control_plane import ControlPlane, ExitReport
from usher_bot.driver_session import DriverSession
from usher_bot.drivers.base import Faults
from usher_bot.errors import Dismissed, Unreachable
from usher_bot.exit_codes import (
    ADMISSION_TIMEOUT,
    MAX_DURATION,
    STOPPED,
    TERMINATED,
    Outcome,
    dismissed,
    outside,
    unreachable,
)
from usher_bot.heartbeat import HeartbeatLoop
from usher_bot.milestones import Milestones
from usher_bot.shutdown_deadline import ShutdownDeadline
from usher_bot.subscriber import Subscriber
from usher_bot.tasks import Tasks

CLEAN_UP_S = 1.0
HEAD_START_S = 1.0
LAST_DELIVERIES_S = 2.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long the bot may wait to be let in, and how long it may run; both from the acceptance of `started`."""

    lobby_timeout_s: float
    max_duration_s: float


class Lifecycle:
    """Runs once."""

    def __init__(
        self,
        *,
        control_plane: ControlPlane,
        driver_session: DriverSession,
        heartbeats: HeartbeatLoop,
        milestones: Milestones,
        inbox: Inbox,
        subscriber: Subscriber | None,
        deadline: ShutdownDeadline,
        limits: Limits,
        faults: Faults,
        clock: Clock,
    ) -> None:
        self._control_plane = control_plane
        self._driver_session = driver_session
        self._heartbeats = heartbeats
        self._milestones = milestones
        self._inbox = inbox
        self._subscriber = subscriber
        self._deadline = deadline
        self._limits = limits
        self._faults = faults
        self._clock = clock
        self._tasks = Tasks(clock=clock)
        self._accepted = asyncio.Event()
        self._delivery: asyncio.Task[Outcome] | None = None
        self._first_beat_s: float | None = None

    async def run(self) -> Outcome:
        """Run the bot, report everything that can be reported, and return the outcome."""
        try:
            outcome = await self._decide()
            logger.info(outcome.message, extra={"action": "ending", "reason": outcome.reason})
            await self._leave(outcome)
            if outcome.reported:
                await self._report_end(outcome)
            return outcome
        finally:
            await self._tasks.abandon(within_s=CLEAN_UP_S)

    def terminate(self) -> bool:
        """Take SIGTERM: leave in the time that is left. False if a test made the bot ignore it."""
        if self._faults.ignores_leave:
            return False
        self._deadline.terminate()
        return True

    async def _decide(self) -> Outcome:
        """The first outcome; when two come together, the earlier in this list."""
        self._delivery = self._spawn(self._deliver)
        ways = [
            self._tasks.spawn(self._run_driver()),
            self._spawn(self._await_leave),
            self._spawn(self._await_sigterm),
            self._spawn(self._beat),
            self._delivery,
            self._spawn(self._end_lobby),
            self._spawn(self._end_at_max_duration),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        return next(way for way in ways if way.done()).result()

    def _spawn(self, way: Callable[[], Coroutine[Any, Any, Outcome]]) -> asyncio.Task[Outcome]:
        async def unless_ignored() -> Outcome:
            outcome = await way()
            if self._faults.ignores_leave:
                await never()
            return outcome

        return self._tasks.spawn(unless_ignored())

    async def _run_driver(self) -> Outcome:
        """Report `started`, then let the driver join and stay."""
        try:
            answer = await self._start()
        except Dismissed as exc:
            return dismissed(str(exc))
        except Unreachable as exc:
            return unreachable(str(exc))
        logger.info("The control plane knows that the bot started.", extra={"action": "started"})
        self._first_beat_s = answer.next_beat_s
        self._accepted.set()
        if self._inbox.leave_asked.is_set() and not self._faults.ignores_leave:
            return STOPPED
        if self._deadline.is_running:
            return self._terminated()
        self._tasks.spawn(self._driver_session.apply_reconfigurations())
        return await self._driver_session.run()

    async def _start(self) -> Answer:
        """Send `started` first and subscribe to Redis next, because its client takes a while to load."""
        starting = self._tasks.spawn(self._control_plane.started())
        await within(starting, HEAD_START_S, clock=self._clock)
        if self._subscriber:
            self._tasks.spawn(self._subscriber.listen())
        return await starting

    async def _await_leave(self) -> Outcome:
        await self._inbox.leave_asked.wait()
        return STOPPED

    async def _await_sigterm(self) -> Outcome:
        await self._deadline.begun()
        return self._terminated()

    def _terminated(self) -> Outcome:
        """SIGTERM says that the process must end, and nothing of why: only the row and Kubernetes know that."""
        failure = self._control_plane.failure
        detail = f"The newest callback was not delivered: {failure}" if failure else None
        return self._outcome(replace(TERMINATED, detail=detail))

    async def _beat(self) -> Outcome:
        await self._accepted.wait()
        try:
            await self._heartbeats.run(first_after_s=self._first_beat_s)
        except Dismissed as exc:
            return dismissed(str(exc))

    async def _deliver(self) -> Outcome:
        try:
            await self._milestones.deliver()
        except Dismissed as exc:
            return dismissed(str(exc))

    async def _end_lobby(self) -> Outcome:
        await self._accepted.wait()
        await self._clock.sleep(self._limits.lobby_timeout_s)
        if self._driver_session.in_meeting.is_set():
            await never()
        return replace(ADMISSION_TIMEOUT, detail=self._driver_session.explain())

    async def _end_at_max_duration(self) -> Outcome:
        await self._accepted.wait()
        await self._clock.sleep(self._limits.max_duration_s)
        return self._outcome(MAX_DURATION)

    def _outcome(self, outcome: Outcome) -> Outcome:
        return outcome if self._driver_session.in_meeting.is_set() else outside(outcome)

    async def _leave(self, outcome: Outcome) -> None:
        if outcome.leaves:
            self._driver_session.announce_leaving()
        leaving = self._tasks.spawn(self._driver_session.leave())
        if not await self._deadline.for_leaving(leaving):
            leaving.cancel()
            logger.error("The driver did not leave in time and is abandoned.", extra={"action": "driver_abandoned"})

    async def _report_end(self, outcome: Outcome) -> None:
        """Send `exited`, after the last milestones if they are delivered soon: it overtakes none of them."""
        await first_of(self._milestones.delivered(), self._clock.sleep(LAST_DELIVERIES_S))
        if self._delivery:
            self._delivery.cancel()
        await self._deadline.for_reporting(self._tasks.spawn(self._report_exit(outcome)))

    async def _report_exit(self, outcome: Outcome) -> None:
        report = self._control_plane.exit_report(outcome)
        try:
            if not await self._report_before_sigterm(report):
                await report(self._deadline.left_s)
        except Dismissed as exc:
            logger.info("The report of the exit was not needed: %s", exc, extra={"action": "exited_refused"})

    async def _report_before_sigterm(self, report: ExitReport) -> bool:
        """True if the report ended before SIGTERM. It cuts a back-off short: the rest of the grace is for tries."""
        if self._deadline.is_running:
            return False
        reporting = self._tasks.spawn(report(None))
        await first_of(reporting, self._deadline.begun())
        if reporting.done():
            reporting.result()
            return True
        reporting.cancel()
        return False
