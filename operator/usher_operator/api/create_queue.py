"""Creates BotRequests after the answers of the REST API, a few at a time.

A client has its slot once the row is committed, even while the API server is slow or unavailable. The queue lives with
the application. The reconciler creates from the row what the queue could not create or lost in a crash
(`reconcile/repairs/missing_request.py`). If Kubernetes rejects a BotRequest for good, the row is failed.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress

from aiohttp import web

from usher_models.db.bots import Bot
from usher_models.errors import Unavailable
from usher_operator.background.loop import Messages, repeat
from usher_operator.lifecycle.create_request import RequestCreator

logger = logging.getLogger(__name__)

CONCURRENCY = 8
# An unavailable API server gets eight requests per pause, and not one for each client.
PAUSE_S = 1.0
MAX_QUEUED = 10_000
FINISH_WITHIN_S = 5.0
_MESSAGES = Messages(
    action="request", postponed="A BotRequest is created later", failed="A BotRequest could not be created"
)


class CreateQueue:
    """A bounded queue of bots without a BotRequest, and the workers that create them."""

    def __init__(self, creator: RequestCreator, *, pause_s: float = PAUSE_S) -> None:
        self._creator = creator
        self._pause_s = pause_s
        self._queue: asyncio.Queue[Bot] = asyncio.Queue(MAX_QUEUED)

    def put(self, bot: Bot) -> None:
        """Create the bot's BotRequest soon."""
        try:
            self._queue.put_nowait(bot)
        except asyncio.QueueFull:
            _postpone(bot, "the queue is full")

    async def working(self, _: web.Application) -> AsyncIterator[None]:
        """Create the queued BotRequests while the application runs, and the remaining ones at its end."""
        async with asyncio.TaskGroup() as tasks:
            with suppress(Unavailable):
                await self._creator.prepare()
            workers = [
                tasks.create_task(
                    repeat(self._create_next, _MESSAGES, every_s=self._pause_s), name=f"requests-{number}"
                )
                for number in range(CONCURRENCY)
            ]
            try:
                yield
                async with asyncio.timeout(FINISH_WITHIN_S):
                    await self._queue.join()
            except TimeoutError:
                logger.warning("BotRequests are left to the reconciler.", extra={"action": "requests_left"})
            finally:
                for worker in workers:
                    worker.cancel()

    async def _create_next(self) -> float | None:
        """Create the next one; None, for a pause, if the API server or the database is unavailable."""
        bot = await self._queue.get()
        try:
            await self._creator.request(bot)
        except Unavailable as exc:
            _postpone(bot, str(exc))
            return None
        finally:
            self._queue.task_done()
        return 0


def _postpone(bot: Bot, why: str) -> None:
    logger.warning(
        "The BotRequest is created later: %s",
        why,
        extra={"action": "request_postponed", "meeting_id": bot.meeting_id},
    )
