"""Which generation of each BotRequest was handled, so that an event without news costs nothing.

The watch reports a BotRequest again after each status write, three times in a bot's life: this process remembers those.
It reports all of them when it starts anew, ten thousand at once: those are looked up together. Losing the memory costs
a read of the row; the reconciler finds what is wrong in spite of it.
"""

from usher_models.db import bots
from usher_models.db.bots import Requested
from usher_models.db.engine import Database
from usher_models.errors import DatabaseUnavailable
from usher_operator.batching import Batcher
from usher_operator.kube.botrequest import BotRequest

MOST_REMEMBERED = 100_000
AT_ONCE = 500


class ProcessedGenerations:
    """Remembers the generation of each BotRequest that was handled. Lives as long as the watch."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Batcher(self._read_rows, at_once=AT_ONCE)
        self._generations: dict[str, int] = {}

    async def contains(self, request: BotRequest, *, listed: bool) -> bool:
        """True if this generation was handled. `listed`: the event comes from a list, so the request may be an old one
        that another process handled."""
        if request.deleting:
            return False
        if self._generations.get(request.uid) != request.generation and listed and await self._in_database(request):
            self.add(request)
        return self._generations.get(request.uid) == request.generation

    def add(self, request: BotRequest) -> None:
        """Remember that this generation was handled."""
        if len(self._generations) >= MOST_REMEMBERED:
            self._generations.clear()
        self._generations[request.uid] = request.generation

    def discard(self, request: BotRequest) -> None:
        """Forget a request that was deleted."""
        self._generations.pop(request.uid, None)

    async def _in_database(self, request: BotRequest) -> bool:
        try:
            row = await self._rows.ask(request.connection_id, request.connection_id)
        except DatabaseUnavailable:
            return False  # the handler meets the same error, and logs it
        return row is not None and row.uid == request.uid and _is_done(row, request)

    async def _read_rows(self, connection_ids: list[str]) -> dict[str, Requested]:
        async with self._database.reading() as connection:
            return await bots.requests_of(connection, connection_ids)


def _is_done(row: Requested, request: BotRequest) -> bool:
    if row.generation < request.generation:
        return False
    return row.ended or (row.job_created and (row.leaving or not request.wants_leave))
