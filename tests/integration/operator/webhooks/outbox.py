"""Words for the tests of webhooks: users with a webhook, and the outbox as it is."""

import json
from typing import Any

from sqlalchemy import text

from tests.scenario import Scenario, User
from usher_models.db import webhook_deliveries
from usher_models.db.webhook_deliveries import Delivery

EVERY_EVENT = ["meeting.status_change", "meeting.started", "meeting.completed", "bot.failed"]


async def a_subscriber(given: Scenario, url: str, *, events: Any = None, secret: str | None = None) -> User:
    """A user with a webhook."""
    user = await given.a_user()
    await set_webhook(given, user, url, events=events, secret=secret)
    return user


async def set_webhook(
    given: Scenario, user: User, url: str | None, *, events: Any = None, secret: str | None = None
) -> None:
    """As Vexa stores it."""
    data = {"webhook_url": url, "webhook_events": events, "webhook_secret": secret}
    await given.execute(
        "UPDATE users SET data = CAST(:data AS jsonb) WHERE id = :id",
        id=user.id,
        data=json.dumps({key: value for key, value in data.items() if value is not None}),
    )


async def ledger(given: Scenario, user: User) -> list[Delivery]:
    """A user's deliveries, the oldest first."""
    async with given.database.transaction() as connection:
        return (await webhook_deliveries.deliveries(connection, user.id, limit=1000))[::-1]


async def all_due(given: Scenario) -> None:
    """Let every wait and every lease be over."""
    await given.execute(
        "UPDATE usher.webhook_deliveries"
        " SET next_attempt_at = now() - interval '1 s', claimed_until = claimed_until - interval '1 day'"
    )


async def fields(given: Scenario, *columns: str) -> list[tuple[Any, ...]]:
    """Those columns of the outbox, the oldest row first."""
    async with given.database.transaction() as connection:
        rows = await connection.execute(text(f"SELECT {', '.join(columns)} FROM usher.webhook_deliveries ORDER BY id"))
        return [tuple(row) for row in rows]
