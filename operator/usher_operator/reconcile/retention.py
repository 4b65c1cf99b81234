"""Deletes what Usher keeps of meetings that ended long ago, in batches; only the leader does."""

from contextlib import suppress

from usher_models.db import retention
from usher_models.errors import NotLeading
from usher_operator.background.loop import Messages, repeat
from usher_operator.lifecycle.close import Ends

EVERY_S = 600.0
BATCH = 1000
# Between full batches: the database serves heartbeats meanwhile.
PAUSE_S = 1.0
DAY_S = 86_400

_MESSAGES = Messages(
    action="retention", postponed="Old meetings are deleted later", failed="Old meetings could not be deleted"
)


class Retention:
    """Lives as long as the process."""

    def __init__(self, *, ends: Ends, history_days: float, evidence_days: float) -> None:
        self._ends = ends
        self._keep_s = history_days * DAY_S
        self._keep_evidence_s = evidence_days * DAY_S

    async def run(self) -> None:
        """Delete what is old, for ever; nothing if everything is kept."""
        if self._keep_s > 0 or self._keep_evidence_s > 0:
            await repeat(self.delete_batch, _MESSAGES, every_s=EVERY_S)

    async def delete_batch(self) -> float | None:
        """Delete a batch; the pause before the next if there may be one. Raises DatabaseUnavailable."""
        deleted = [0]
        with suppress(NotLeading):
            async with self._ends.fenced() as connection:
                if self._keep_s > 0:
                    deleted.append(await retention.delete_history(connection, keep_s=self._keep_s, limit=BATCH))
                if self._keep_evidence_s > 0:
                    keep_s = self._keep_evidence_s
                    deleted.append(await retention.delete_evidence(connection, keep_s=keep_s, limit=BATCH))
        return PAUSE_S if BATCH in deleted else None
