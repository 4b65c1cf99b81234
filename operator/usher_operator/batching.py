"""Questions to the database that arrive together are one statement: it carries all that wait.

While one statement is on its way the next questions gather, so a batch is as large as the load and a lone question
waits for nobody. Each is answered when the statement that holds it has come back, never before.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from usher_models.errors import Unavailable

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Waiting[Asked, Told]:
    key: str
    asked: Asked
    answer: asyncio.Future[Told | None]


class Batcher[Asked, Told]:
    """Gathers what is asked. Its task lives while somebody waits.

    `work` answers a batch of at most `at_once`, by key; no two of a batch have the same key.
    """

    def __init__(self, work: Callable[[list[Asked]], Awaitable[Mapping[str, Told]]], *, at_once: int) -> None:
        self._work = work
        self._at_once = at_once
        self._waiting: deque[_Waiting[Asked, Told]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def ask(self, key: str, asked: Asked) -> Told | None:
        """The answer once there is one; None when the batch had none for it. Raises what is Unavailable."""
        waiting: _Waiting[Asked, Told] = _Waiting(key, asked, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._task is None:
            self._task = asyncio.create_task(self._answer_all(), name="together")
        return await waiting.answer

    async def _answer_all(self) -> None:
        try:
            while self._waiting:
                await self._answer(self._batch())
        finally:
            self._task = None

    def _batch(self) -> list[_Waiting[Asked, Told]]:
        """Those that wait longest; who asks twice is in two batches."""
        batch: dict[str, _Waiting[Asked, Told]] = {}
        while self._waiting and len(batch) < self._at_once and self._waiting[0].key not in batch:
            waiting = self._waiting.popleft()
            batch[waiting.key] = waiting
        return list(batch.values())

    async def _answer(self, batch: list[_Waiting[Asked, Told]]) -> None:
        told: Mapping[str, Told] = {}
        try:
            told = await self._work([waiting.asked for waiting in batch])
        except Unavailable as exc:
            for waiting in batch:
                if not waiting.answer.done():
                    waiting.answer.set_exception(exc)
            return
        except Exception:
            # One of them is at fault, and none of the others shall suffer for it.
            logger.exception("Questions could not be answered together.", extra={"action": "together_failed"})
        for waiting in batch:
            if not waiting.answer.done():
                waiting.answer.set_result(told.get(waiting.key))
