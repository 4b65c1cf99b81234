"""Writing rows to the status of their BotRequests: conditions, phase, Events. The status is never read back as truth.

The budget is six API writes in a bot's life: the Job, the statuses reserved, active and ended, one for the arrival and
one for the end. Each of the last two is an Event, unless the status before it lasted and was written instead.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

from usher_models.db import status_writes
from usher_models.db.bots import Bot
from usher_models.db.engine import Database
from usher_models.db.leader_lock import UNFENCED, Fence
from usher_models.db.status_writes import UnwrittenBot
from usher_models.errors import KubernetesUnavailable, NotLeading
from usher_models.states import Reason, Status
from usher_operator.background.loop import Messages, attempt, repeat
from usher_operator.batching import Batcher
from usher_operator.kube import botrequest_status, events
from usher_operator.kube.port import Json, KubePort, WriteRefused
from usher_operator.telemetry import STATUS_WRITES

logger = logging.getLogger(__name__)

BATCH = 200
# As many as the watch handles at once; few while it has a backlog, because Jobs come first.
CONCURRENCY = 24
CONCURRENCY_WITH_BACKLOG = 4
# The others of a batch wait for a write without an answer. It is repeated with the next batch, which costs nothing.
WRITE_TIMEOUT_S = 6.0
_MESSAGES = Messages(
    action="status_write", postponed="Statuses are written later", failed="A status could not be written"
)


class StatusWriter:
    """Writes changed rows in batches. It has no memory: a row has the revision that was written."""

    def __init__(
        self,
        *,
        database: Database,
        kube: KubePort,
        delay_s: float,
        installation: str,
        now: Callable[[], datetime],
        fence: Fence = UNFENCED,
        has_backlog: Callable[[], bool] = lambda: False,
    ) -> None:
        self._has_backlog = has_backlog
        self._fence = fence
        self._leading: Batcher[Bot, bool] = Batcher(self._confirm, at_once=BATCH)
        self._database = database
        self._kube = kube
        self._delay_s = delay_s
        self._installation = installation
        self._now = now

    async def run(self, interval_s: float) -> None:
        """Write changes for ever; what fails is repeated."""
        await attempt(self._retry_all, _MESSAGES)
        await repeat(self._write_if_leading, _MESSAGES, every_s=interval_s)

    async def _retry_all(self) -> None:
        async with self._database.at_once() as connection:
            await status_writes.retry_all(connection)

    async def _write_if_leading(self) -> float | None:
        """Write a batch; 0 if it was full, because more rows wait behind it."""
        if not self._fence.leads:
            return None
        with suppress(NotLeading):
            return 0 if await self.write_changes() >= BATCH else None
        return None

    async def write_changes(self) -> int:
        """Write every change that is due; returns their number. Raises DatabaseUnavailable, KubernetesUnavailable."""
        async with self._database.reading() as connection:
            changed = await status_writes.unwritten_bots(connection, delay_s=self._delay_s, limit=BATCH)
        slots = asyncio.Semaphore(CONCURRENCY_WITH_BACKLOG if self._has_backlog() else CONCURRENCY)

        async def one(bot: UnwrittenBot) -> None:
            async with slots:
                await self._write_in_time(bot)

        outcomes = await asyncio.gather(*(one(bot) for bot in changed), return_exceptions=True)
        await self._record(list(zip(changed, outcomes, strict=True)))
        for outcome in outcomes:
            if outcome is not None and not isinstance(outcome, WriteRefused):
                raise outcome
        return len(changed)

    async def _record(self, outcomes: Sequence[tuple[Bot, BaseException | None]]) -> None:
        """One commit for those written and one for those that failed; after a crash before it they are written again,
        which changes nothing."""
        written = [bot for bot, outcome in outcomes if outcome is None]
        failed = [(bot, outcome) for bot, outcome in outcomes if not isinstance(outcome, NotLeading | None)]
        for bot, outcome in failed:
            if isinstance(outcome, WriteRefused):
                _log_refused(bot, outcome)
        async with self._database.at_once() as connection:
            await status_writes.mark_written(connection, written)
        if failed:
            async with self._database.at_once() as connection:
                refused = [(bot, isinstance(outcome, WriteRefused)) for bot, outcome in failed]
                await status_writes.mark_failed(connection, refused)

    async def _write_in_time(self, bot: UnwrittenBot) -> None:
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await self._write(bot)
        except TimeoutError as exc:
            raise KubernetesUnavailable(f"The API server did not answer within {WRITE_TIMEOUT_S:g} s.") from exc

    async def _write(self, bot: UnwrittenBot) -> None:
        assert bot.request_namespace is not None  # noqa: S101 - only rows with a request are picked
        assert bot.request_name is not None  # noqa: S101
        # This process may have been stopped since it read the row, and another process may have written newer ones.
        if not await self._leading.ask(bot.connection_id, bot):
            raise NotLeading
        status = botrequest_status.status_of(bot, installation=self._installation, history=bot.history)
        found = await self._kube.patch_request_status(
            bot.request_namespace, bot.request_name, status, uid=bot.request_uid or ""
        )
        STATUS_WRITES.labels(outcome="written" if found else "gone").inc()
        event = event_for(bot, now=self._now()) if found else None
        if event is not None:
            await self._kube.create_event(bot.request_namespace, event)

    async def _confirm(self, bots: list[Bot]) -> dict[str, bool]:
        """One query for all that wait. Raises NotLeading."""
        async with self._database.reading() as connection:
            await self._fence.confirm(connection)
        return {bot.connection_id: True for bot in bots}


def _log_refused(bot: Bot, error: WriteRefused) -> None:
    STATUS_WRITES.labels(outcome="refused").inc()
    logger.error(
        "The API server refuses the status of a BotRequest; it is tried again in an hour: %s",
        error,
        extra={
            "action": "status_write_refused",
            "meeting_id": bot.meeting_id,
            "request": f"{bot.request_namespace}/{bot.request_name}",
        },
    )


def event_for(bot: Bot, *, now: datetime) -> Json | None:
    """The Event that accompanies this status, or None."""
    waits = bot.status is Status.RESERVED and bot.reason != Reason.REQUESTED
    if not (waits or _is_awaited(bot)):
        return None
    return events.event(
        namespace=bot.request_namespace or "",
        name=bot.request_name or "",
        uid=bot.request_uid or "",
        kind="Warning" if waits or bot.status is Status.FAILED else "Normal",
        reason=botrequest_status.camel(bot.reason),
        message=f"Meeting {bot.meeting_id} is {bot.status}: {botrequest_status.message_of(bot)}{_fault(bot)}",
        now=now,
        # Also after a crash, or a takeover, between the Event and the note that it was posted.
        once=f"waits/{bot.reason}" if waits else f"is/{bot.status}",
    )


def _fault(bot: Bot) -> str:
    return f" Fault: {bot.fault}." if bot.status is Status.FAILED and bot.fault else ""


def _is_awaited(bot: Bot) -> bool:
    """True if a person waits for this status: the arrival and the end, unless the status before it was written."""
    if bot.written_status == bot.status:
        return False
    joined = bot.status is Status.ACTIVE and bot.written_status != Status.STARTING
    return joined or (bot.ended_at is not None and bot.written_status != Status.STOPPING)
