"""The background tasks of `usher serve`: the webhook sender, and the deletion of old deliveries."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from usher_models.db import webhook_deliveries
from usher_models.db.engine import Database
from usher_models.errors import Unavailable
from usher_operator.settings import Settings
from usher_operator.webhooks.guard import Guard
from usher_operator.webhooks.sender import Sender, wait
from usher_operator.webhooks.transport import Transport

logger = logging.getLogger(__name__)

KEEP_DAYS = 30
PRUNE_EVERY_S = 600.0
PRUNE_LIMIT = 5_000


@asynccontextmanager
async def sending(database: Database, settings: Settings) -> AsyncIterator[None]:
    """Send webhooks while the context lasts, then finish those in flight; does nothing while webhooks are disabled."""
    if not settings.webhooks_enabled:
        yield
        return
    transport = Transport(Guard(settings.webhook_allowed_hosts))
    sender, stop = Sender(database=database, transport=transport), asyncio.Event()
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(sender.run(), name="webhooks")
            tasks.create_task(_prune(database, stop), name="webhooks-prune")
            try:
                yield
            finally:
                sender.stop()
                stop.set()
    finally:
        await transport.close()


async def _prune(database: Database, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            async with database.transaction() as connection:
                await webhook_deliveries.prune(connection, days=KEEP_DAYS, limit=PRUNE_LIMIT)
        except Unavailable:
            logger.debug("Old webhook deliveries will be deleted later.", extra={"action": "webhooks_kept"})
        except Exception:
            logger.exception("Old webhook deliveries could not be deleted.", extra={"action": "webhooks_prune_failed"})
        await wait(stop, PRUNE_EVERY_S)
