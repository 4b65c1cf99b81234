"""Showing rows on their BotRequests: conditions, phase, Events. Written, never read.

The budget is six API writes in a bot's life: the Job, the statuses reserved, active and ended, one for the arrival and
one for the end. Each of the last two is an Event, unless the status before it lasted and was shown instead.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from usher_models.db import bots
from usher_models.db.bots import Bot
from usher_models.db.engine import Database
from usher_models.db.leader_lock import LeaderLock
from usher_models.errors import KubernetesUnavailable, NotLeading
from usher_models.states import Status
from usher_operator.background.loop import Messages, repeat
from usher_operator.batching import Batcher
from usher_operator.kube import botrequest_status, events
from usher_operator.kube.port import Json, KubePort
from usher_operator.telemetry import STATUS_WRITES

logger = logging.getLogger(__name__)

BATCH = 200
# As many as there are bots being ensured at once, or few while many wait for their turn: their Jobs come first.
CONCURRENCY = 24
CONCURRENCY_WHEN_CROWDED = 4
# The others of a batch wait for one whose write gets no answer; it is shown with the next batch, which costs nothing.
PATIENCE_S = 6.0
_MESSAGES = Messages(action="status_write", postponed="Statuses are shown later", failed="A status could not be shown")


class StatusWriter:
    """Shows changed rows, in batches. It has no memory: a row knows which revision is shown."""

    def __init__(
        self,
        *,
        database: Database,
        kube: KubePort,
        hold_s: float,
        now: Callable[[], datetime],
        fence: LeaderLock | None = None,
        crowded: Callable[[], bool] = lambda: False,
    ) -> None:
        self._crowded = crowded
        self._fence = fence
        self._leading: Batcher[Bot, bool] = Batcher(self._confirm, at_once=BATCH)
        self._database = database
        self._kube = kube
        self._hold_s = hold_s
        self._now = now

    async def run(self, interval_s: float) -> None:
        """Show changes for ever; what cannot be shown now is shown later."""
        await repeat(self._show_if_leading, _MESSAGES, every_s=interval_s)

    async def _show_if_leading(self) -> float | None:
        """Show a batch; 0 if it was full, because more wait behind it."""
        with suppress(NotLeading):
            return 0 if await self.show_changes() >= BATCH else None
        return None

    async def show_changes(self) -> int:
        """Show every change that is due; how many. Raises DatabaseUnavailable or KubernetesUnavailable."""
        async with self._database.reading() as connection:
            changed = await bots.unwritten_bots(connection, hold_s=self._hold_s, limit=BATCH)
        slots = asyncio.Semaphore(CONCURRENCY_WHEN_CROWDED if self._crowded() else CONCURRENCY)

        async def one(bot: Bot) -> None:
            async with slots:
                await self._show_in_time(bot)

        outcomes = await asyncio.gather(*(one(bot) for bot in changed), return_exceptions=True)
        await self._note([bot for bot, outcome in zip(changed, outcomes, strict=True) if outcome is None])
        for outcome in outcomes:
            if outcome is not None:
                raise outcome
        return len(changed)

    async def _note(self, shown: list[Bot]) -> None:
        """One commit for all of them; a crash before it has them shown again, which changes nothing."""
        if shown:
            async with self._database.at_once() as connection:
                await bots.mark_written(connection, shown)

    async def _show_in_time(self, bot: Bot) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._show(bot)
        except TimeoutError as exc:
            raise KubernetesUnavailable(f"The API server did not answer within {PATIENCE_S:g} s.") from exc

    async def _show(self, bot: Bot) -> None:
        assert bot.request_namespace is not None  # noqa: S101 - only rows with a request are picked
        assert bot.request_name is not None  # noqa: S101
        # This process may have been stopped since it read the row, and another shows newer ones.
        if not await self._leading.ask(bot.connection_id, bot):
            raise NotLeading
        found = await self._kube.patch_request_status(
            bot.request_namespace, bot.request_name, botrequest_status.status_of(bot)
        )
        STATUS_WRITES.labels(outcome="shown" if found else "gone").inc()
        told = event_for(bot, now=self._now()) if found else None
        if told is not None:
            await self._kube.create_event(bot.request_namespace, told)

    async def _confirm(self, bots: list[Bot]) -> dict[str, bool]:
        """One look, after all of them asked for it. Raises NotLeading."""
        if self._fence is not None:
            async with self._database.reading() as connection:
                await self._fence.confirm(connection)
        return {bot.connection_id: True for bot in bots}


def event_for(bot: Bot, *, now: datetime) -> Json | None:
    """The Event that goes with showing this bot, or None."""
    if bot.written_status == bot.status:
        return None
    joined = bot.status is Status.ACTIVE and bot.written_status != Status.STARTING
    ended = bot.ended_at and bot.written_status != Status.STOPPING
    if not (joined or ended):
        return None
    return events.event(
        namespace=bot.request_namespace or "",
        name=bot.request_name or "",
        uid=bot.request_uid or "",
        kind="Warning" if bot.status is Status.FAILED else "Normal",
        reason=botrequest_status.camel(bot.reason),
        message=f"Meeting {bot.meeting_id} is {bot.status}: {bot.message}",
        now=now,
    )
