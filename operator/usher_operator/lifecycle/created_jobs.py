"""Recording in the rows that their Jobs exist: one statement and one commit for all that were created meanwhile."""

from usher_models.db import bots
from usher_models.db.engine import Database
from usher_models.errors import DatabaseUnavailable
from usher_operator.batching import Batcher

AT_ONCE = 250


class CreatedJobs:
    """Batches the meetings whose Jobs were created. Lives as long as the process that creates them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._batcher = Batcher(self._record, at_once=AT_ONCE)

    async def record(self, meeting_id: int) -> None:
        """Return once it is committed. Raises DatabaseUnavailable."""
        if not await self._batcher.ask(str(meeting_id), meeting_id):
            raise DatabaseUnavailable(f"The Job of meeting {meeting_id} could not be recorded.")

    async def _record(self, meeting_ids: list[int]) -> dict[str, bool]:
        async with self._database.at_once() as connection:
            await bots.mark_jobs_created(connection, meeting_ids)
        return dict.fromkeys(map(str, meeting_ids), True)
