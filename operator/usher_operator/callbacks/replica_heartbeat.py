"""A replica saying that it can take callbacks, for as long as it can: on the callbacks' own loop and database.

When the process hangs, is stopped, or loses its database, the word stops with it; that is the point.
"""

import asyncio
import logging

from usher_models.db import outages
from usher_models.db.engine import Database
from usher_models.errors import DatabaseUnavailable

logger = logging.getLogger(__name__)

FORGET_EVERY = 1800  # presences: about an hour


async def keep_present(database: Database, replica: str) -> None:
    """Say so every few seconds, for ever. An outage that this ends is logged."""
    count = 0
    while True:
        try:
            await _say(database, replica, forget=count % FORGET_EVERY == 0)
        except DatabaseUnavailable as exc:
            logger.warning("Callbacks cannot be taken: %s", exc, extra={"action": "not_serving"})
        except Exception:
            logger.exception("The presence could not be noted.", extra={"action": "presence_failed"})
        count += 1
        await asyncio.sleep(outages.PRESENCE_INTERVAL_S)


async def _say(database: Database, replica: str, *, forget: bool) -> None:
    async with database.transaction() as connection:
        lasted = await outages.note_served(connection, replica)
        if forget:
            await outages.forget_old(connection)
    if lasted is not None:
        logger.warning(
            "Nobody could take callbacks for %.0f s; no bot is blamed for its silence in that time.",
            lasted,
            extra={"action": "outage_ended", "seconds": lasted},
        )
