"""The background tasks of `usher serve`: the webhook sender, and the deletion of old deliveries."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from usher_models.db import webhook_deliveries
from usher_models.db.engine import Database
from usher_operator.background.loop import Messages, repeat
from usher_operator.settings import Settings
from usher_operator.webhooks.guard import Guard
from usher_operator.webhooks.sender import Sender, wait
from usher_operator.webhooks.transport import Transport

KEEP_DAYS = 30
PRUNE_EVERY_S = 600.0
PRUNE_LIMIT = 5_000
_MESSAGES = Messages(
    action="webhooks_prune", postponed="Old webhooks are deleted later", failed="Old webhooks could not be deleted"
)


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
    async def prune() -> None:
        async with database.transaction() as connection:
            await webhook_deliveries.prune(connection, days=KEEP_DAYS, limit=PRUNE_LIMIT)

    await repeat(prune, _MESSAGES, every_s=PRUNE_EVERY_S, pause=partial(wait, stop), stopped=stop.is_set)
