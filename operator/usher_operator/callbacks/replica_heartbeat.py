"""A replica notes that it can take callbacks, for as long as it can: on the callbacks' own loop and database.

If the process hangs, is stopped, or loses its database, the notes stop; that is their purpose.
"""

import itertools
import logging

from usher_models.db import outages
from usher_models.db.engine import Database
from usher_operator.background.loop import Messages, repeat

logger = logging.getLogger(__name__)

FORGET_EVERY = 1800  # notes: about an hour
_MESSAGES = Messages(
    action="serving", postponed="Callbacks cannot be taken", failed="That callbacks can be taken could not be noted"
)


async def keep_present(database: Database, replica: str) -> None:
    """Note it every few seconds, for ever. An outage that this ends is logged."""
    numbers = itertools.count()

    async def note() -> None:
        await _note(database, replica, forget=next(numbers) % FORGET_EVERY == 0)

    await repeat(note, _MESSAGES, every_s=outages.PRESENCE_INTERVAL_S)


async def _note(database: Database, replica: str, *, forget: bool) -> None:
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
