"""The heartbeat of a serve replica: it records every few seconds that the replica can take callbacks.

It runs on the event loop and the connections that callbacks use, so it stops when the process hangs, is stopped, or
loses its database. Bots are not blamed for silence in a time without any replica.
"""

import asyncio
import logging

from usher_models.db import outages
from usher_models.db.engine import Database
from usher_models.errors import DatabaseUnavailable

logger = logging.getLogger(__name__)

DELETE_OLD_EVERY = 1800  # heartbeats: about an hour


async def keep_recording(database: Database, replica: str) -> None:
    """Record it every few seconds, for ever. An outage that this ends is logged."""
    count = 0
    while True:
        try:
            await _record(database, replica, delete_old=count % DELETE_OLD_EVERY == 0)
        except DatabaseUnavailable as exc:
            logger.warning("Callbacks cannot be taken: %s", exc, extra={"action": "not_serving"})
        except Exception:
            logger.exception(
                "The replica heartbeat could not be recorded.", extra={"action": "replica_heartbeat_failed"}
            )
        count += 1
        await asyncio.sleep(outages.REPLICA_HEARTBEAT_INTERVAL_S)


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
