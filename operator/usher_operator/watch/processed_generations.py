"""Which BotRequests have been carried out, so that nothing is done for one that comes back with no news.

The watch brings a BotRequest back whenever its status was shown, three times in a life: those this process remembers.
It brings all of them when it begins anew, ten thousand at once: those are looked up together. Losing the memory costs
a look at the row; what is amiss in spite of it, the reconciler finds.
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
    """Knows the generation of each BotRequest that was carried out. It lives as long as the watch."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Batcher(self._look, at_once=AT_ONCE)
        self._generations: dict[str, int] = {}

    async def knows(self, request: BotRequest, *, listed: bool) -> bool:
        """Whether nothing in it is news; one that was `listed`, and not told of as a change, may be an old one."""
        if request.deleting:
            return False
        if self._generations.get(request.uid) != request.generation and listed and await self._was_before(request):
            self.note(request)
        return self._generations.get(request.uid) == request.generation

    def note(self, request: BotRequest) -> None:
        """It was carried out."""
        if len(self._generations) >= MOST_REMEMBERED:
            self._generations.clear()
        self._generations[request.uid] = request.generation

    def forget(self, request: BotRequest) -> None:
        """It is gone."""
        self._generations.pop(request.uid, None)

    async def _was_before(self, request: BotRequest) -> bool:
        try:
            row = await self._rows.ask(request.connection_id, request.connection_id)
        except DatabaseUnavailable:
            return False  # whoever carries it out says so
        return row is not None and row.uid == request.uid and _nothing_left(row, request)

    async def _look(self, connection_ids: list[str]) -> dict[str, Requested]:
        async with self._database.reading() as connection:
            return await bots.requests_of(connection, connection_ids)


def _nothing_left(row: Requested, request: BotRequest) -> bool:
    if row.generation < request.generation:
        return False
    return row.ended or (row.job_created and (row.leaving or not request.wants_leave))
