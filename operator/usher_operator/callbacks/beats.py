"""Heartbeats that arrive together are noted together: one statement and one commit for all that wait.

A beat is answered when the transaction that holds it is committed, never before. While one transaction is on its way
the next beats gather, so a batch is as large as the load and a lone beat waits for nobody. What the batch cannot take
(a pod's first word, an ended meeting, a row that somebody holds) is tried by itself, with the usual answers.
"""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass

from usher_models.db import heartbeats
from usher_models.db.engine import Database
from usher_models.db.heartbeats import Heard, Sender
from usher_models.errors import DatabaseUnavailable

logger = logging.getLogger(__name__)

AT_ONCE = 250


@dataclass(frozen=True, kw_only=True, slots=True)
class _Waiting:
    sender: Sender
    answer: asyncio.Future[Heard | None]


class Beats:
    """Gathers beats. Its task lives while somebody waits."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[_Waiting] = deque()
        self._task: asyncio.Task[None] | None = None

    async def note(self, sender: Sender) -> Heard | None:
        """Note a sign of life; the bot once that is committed, None when it must be tried by itself.

        Raises DatabaseUnavailable.
        """
        waiting = _Waiting(sender=sender, answer=asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name="beats")
        return await waiting.answer

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._note(self._batch())
        finally:
            self._task = None

    def _batch(self) -> list[_Waiting]:
        """Those that wait longest; a bot that speaks twice is in two batches."""
        batch: dict[str, _Waiting] = {}
        while self._waiting and len(batch) < AT_ONCE and self._waiting[0].sender.connection_id not in batch:
            waiting = self._waiting.popleft()
            batch[waiting.sender.connection_id] = waiting
        return list(batch.values())

    async def _note(self, batch: list[_Waiting]) -> None:
        heard: dict[str, Heard] = {}
        try:
            async with self._database.at_once() as connection:
                heard = await heartbeats.beat_many(connection, [waiting.sender for waiting in batch])
        except DatabaseUnavailable as exc:
            for waiting in batch:
                if not waiting.answer.done():
                    waiting.answer.set_exception(exc)
            return
        except Exception:
            # One of them is at fault, and none of the others shall suffer for it.
            logger.exception("Heartbeats could not be noted together.", extra={"action": "beats_failed"})
        for waiting in batch:
            if not waiting.answer.done():
                waiting.answer.set_result(heard.get(waiting.sender.connection_id))
