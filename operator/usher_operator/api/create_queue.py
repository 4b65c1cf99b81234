"""BotRequests that are created behind the answers of the REST API, a few at a time.

A client has its slot once the row is committed, however slow the API server is, and whether or not it is there.
The queue lives with the application. What it cannot do, or loses by a death, the reconciler does from the row
(`reconcile/missing_request.py`); what Kubernetes refuses for good fails the row, with the reason.
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

AT_ONCE = 8
# An API server that is away is asked eight times a second, and not once for each client that comes meanwhile.
PAUSE_S = 1.0
MOST_WAITING = 10_000
FINISH_WITHIN_S = 5.0
_MESSAGES = Messages(
    action="request", postponed="A BotRequest is created later", failed="A BotRequest could not be created"
)


class CreateQueue:
    """Takes bots whose BotRequest is to be created."""

    def __init__(self, requester: RequestCreator, *, pause_s: float = PAUSE_S) -> None:
        self._requester = requester
        self._pause_s = pause_s
        self._waiting: asyncio.Queue[Bot] = asyncio.Queue(MOST_WAITING)

    def put(self, bot: Bot) -> None:
        """Create the bot's BotRequest soon."""
        try:
            self._waiting.put_nowait(bot)
        except asyncio.QueueFull:
            _postpone(bot, "too many are waiting")

    async def working(self, _: web.Application) -> AsyncIterator[None]:
        """Create what is put in for as long as the application runs, and at its end what is still in it."""
        async with asyncio.TaskGroup() as tasks:
            with suppress(Unavailable):
                await self._requester.prepare()
            workers = [
                tasks.create_task(
                    repeat(self._create_next, _MESSAGES, every_s=self._pause_s), name=f"requests-{number}"
                )
                for number in range(AT_ONCE)
            ]
            try:
                yield
                async with asyncio.timeout(FINISH_WITHIN_S):
                    await self._waiting.join()
            except TimeoutError:
                logger.warning("BotRequests are left to the reconciler.", extra={"action": "requests_left"})
            finally:
                for worker in workers:
                    worker.cancel()

    async def _create_next(self) -> float | None:
        """Create the next one; None, for a pause, if the API server or the database is away."""
        bot = await self._waiting.get()
        try:
            await self._requester.request(bot)
        except Unavailable as exc:
            _postpone(bot, str(exc))
            return None
        finally:
            self._waiting.task_done()
        return 0


def _postpone(bot: Bot, why: str) -> None:
    logger.warning(
        "The BotRequest is created later: %s",
        why,
        extra={"action": "request_postponed", "meeting_id": bot.meeting_id},
    )
