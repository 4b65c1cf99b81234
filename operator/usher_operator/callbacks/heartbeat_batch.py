"""Heartbeats that arrive together are noted together: one statement and one commit for all that wait.

A beat is answered when the transaction that holds it is committed, never before. What the batch cannot take (a pod's
first word, an ended meeting, a row that somebody holds) is tried by itself, with the usual answers.
"""

from usher_models.db import heartbeats
from usher_models.db.engine import Database
from usher_models.db.heartbeats import Heard, Sender
from usher_operator.batching import Batcher

AT_ONCE = 250


class Beats:
    """Gathers beats; it lives as long as the server that takes them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._together = Batcher(self._note, at_once=AT_ONCE)

    async def note(self, sender: Sender) -> Heard | None:
        """Note a sign of life; the bot once that is committed, None when it must be tried by itself.

        Raises DatabaseUnavailable.
        """
        return await self._together.ask(sender.connection_id, sender)

    async def _note(self, senders: list[Sender]) -> dict[str, Heard]:
        async with self._database.at_once() as connection:
            return await heartbeats.beat_many(connection, senders)
