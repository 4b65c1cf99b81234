"""Which installation this is, at a start: what the database says, unless its schema was made anew.

The Jobs and BotRequests of bots that run carry the id of the schema that was dropped. The new one takes it back, if the
record proves that it stands in the very same database.
"""

import logging

from usher_models.db import epoch
from usher_models.db.engine import Database
from usher_operator.reconcile.epoch.evidence import is_remade
from usher_operator.reconcile.epoch.store import EpochStore

logger = logging.getLogger(__name__)


async def settle_installation(database: Database, store: EpochStore) -> str:
    """The installation's id. Raises DatabaseUnavailable, KubernetesUnavailable."""
    async with database.reading() as connection:
        seen = await epoch.see(connection)
    record = (await store.read()).record
    if record is None or record.installation == seen.installation or not is_remade(record, seen):
        return seen.installation
    async with database.at_once() as connection:
        if not await epoch.take_back_installation(connection, record.installation, seen_at=record.seen_at):
            return seen.installation
    logger.error(
        "The schema usher was made anew in this database; it belongs to the installation %s again.",
        record.installation,
        extra={"action": "installation_taken_back"},
    )
    return record.installation
