"""Heartbeats that arrive together are recorded together: one statement and one commit for all that wait.

A heartbeat is answered when the transaction that holds it is committed, never before. A heartbeat that the batch cannot
take (the first one of a pod, one for an ended meeting, one whose row is locked) is recorded by itself, with the usual
answers.
"""

from usher_models.db import heartbeats
from usher_models.db.engine import Database
from usher_models.db.heartbeats import BotState, Heartbeat
from usher_operator.batching import Batcher

MAX_BATCH = 250


class HeartbeatBatch:
    """Gathers heartbeats; it lives as long as the server that takes them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._batcher = Batcher(self._record, at_once=MAX_BATCH)

    async def record(self, heartbeat: Heartbeat) -> BotState | None:
        """Record a heartbeat; the bot once that is committed, None when it must be recorded by itself.

        Raises DatabaseUnavailable.
        """
        return await self._batcher.ask(heartbeat.connection_id, heartbeat)

    async def _record(self, sent: list[Heartbeat]) -> dict[str, BotState]:
        async with self._database.at_once() as connection:
            return await heartbeats.record_many(connection, sent)
