"""The heartbeat of a serve replica: it records every few seconds that the replica can take callbacks.

It runs on the event loop and the connections that callbacks use, so it stops when the process hangs, is stopped, or
loses its database. Bots are not blamed for silence in a time without any replica.
"""

import itertools
import logging

from usher_models.db import outages
from usher_models.db.engine import Database
from usher_operator.background.loop import Messages, repeat

logger = logging.getLogger(__name__)

DELETE_OLD_EVERY = 1800  # heartbeats: about an hour
_MESSAGES = Messages(
    action="replica_heartbeat",
    postponed="Callbacks cannot be taken",
    failed="The replica heartbeat could not be recorded",
)


async def keep_recording(database: Database, replica: str) -> None:
    """Record it every few seconds, for ever. An outage that this ends is logged."""
    numbers = itertools.count()

    async def record() -> None:
        await _record(database, replica, delete_old=next(numbers) % DELETE_OLD_EVERY == 0)

    await repeat(record, _MESSAGES, every_s=outages.REPLICA_HEARTBEAT_INTERVAL_S)


async def _record(database: Database, replica: str, *, delete_old: bool) -> None:
    async with database.transaction() as connection:
        lasted = await outages.record_served(connection, replica)
        if delete_old:
            await outages.delete_old(connection)
    if lasted is not None:
        logger.warning(
            "No replica could take callbacks for %.0f s; bots are not blamed for their silence in that time.",
            lasted,
            extra={"action": "outage_ended", "seconds": lasted},
        )
