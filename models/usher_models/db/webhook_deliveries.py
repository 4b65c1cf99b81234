"""The outbox for the sender, and the ledger for the user.

A claim is a lease: the deliveries of a sender that crashed become due again when it ends. It is also a fence: a
settlement takes effect only while the row still has the lease of its claim, so a sender that resumes too late changes
nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.leader_lock import ENDPOINT_LOCK

# An endpoint is paused after this many consecutive deliveries failed for good.
FAILURES_UNTIL_PAUSE = 20


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A delivery leased to this sender. `url` is None if the user has removed the webhook."""

    id: int
    event_id: str
    event_type: str
    meeting_id: int
    user_id: int
    body: str
    attempts: int
    claimed_until: datetime
    url: str | None
    secret: str | None


@dataclass(frozen=True, kw_only=True)
class Result:
    """The outcome of an attempt. `retry_in_s` is None after the last one; `gone`: the endpoint answered 410."""

    delivered: bool
    status: int | None = None
    error: str | None = None
    retry_in_s: float | None = None
    gone: bool = False


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One line of the ledger."""

    id: int
    event_id: str
    event_type: str
    meeting_id: int
    state: str
    attempts: int
    next_attempt_at: datetime | None
    last_status: int | None
    last_error: str | None
    created_at: datetime
    delivered_at: datetime | None
    payload: dict[str, Any]


_CLAIM = text("""
WITH due AS (
    SELECT id FROM usher.webhook_deliveries
    WHERE state = 'pending' AND next_attempt_at <= now() AND (claimed_until IS NULL OR claimed_until <= now())
      AND user_id <> ALL(:busy)
    ORDER BY next_attempt_at
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE usher.webhook_deliveries d
    SET attempts = d.attempts + 1, claimed_until = now() + make_interval(secs => :lease_s)
    FROM due WHERE d.id = due.id
    RETURNING d.*
)
SELECT c.id, c.event_id, c.event_type, c.meeting_id, c.user_id, c.payload::text AS body, c.attempts, c.claimed_until,
       nullif(u.data ->> 'webhook_url', '') AS url, nullif(u.data ->> 'webhook_secret', '') AS secret
FROM claimed c LEFT JOIN users u ON u.id = c.user_id
ORDER BY c.id
""")


async def claim(connection: AsyncConnection, *, limit: int, lease_s: float, busy: Sequence[int] = ()) -> list[Claim]:
    """Lease up to `limit` due deliveries, except those of `busy` users."""
    rows = await connection.execute(_CLAIM, {"limit": limit, "lease_s": lease_s, "busy": list(busy)})
    return [Claim(**row._mapping) for row in rows]


# Without it, two settlements and a resumption of one user could lock rows in opposite orders and deadlock.
_LOCK = text("SELECT pg_advisory_xact_lock(CAST(:lock AS integer), CAST(:user_id AS integer))")

_SETTLE = text("""
UPDATE usher.webhook_deliveries
SET state = CASE WHEN :delivered THEN 'delivered' WHEN CAST(:retry_in_s AS float) IS NULL THEN 'failed' ELSE state END,
    next_attempt_at = now() + make_interval(secs => coalesce(CAST(:retry_in_s AS float), 0)),
    delivered_at = CASE WHEN :delivered THEN now() END,
    claimed_until = NULL, last_status = :status, last_error = :error
WHERE id = :id AND claimed_until = :claimed_until
RETURNING id
""")

_REVIVED = text("UPDATE usher.webhook_endpoints SET failures = 0 WHERE user_id = :user_id AND failures > 0")

_FAILED = text("""
INSERT INTO usher.webhook_endpoints AS e (user_id, failures, paused_at)
VALUES (:user_id, 1, CASE WHEN :gone OR :limit <= 1 THEN now() END)
ON CONFLICT (user_id) DO UPDATE
SET failures = e.failures + 1,
    paused_at = coalesce(e.paused_at, CASE WHEN :gone OR e.failures + 1 >= :limit THEN now() END)
RETURNING paused_at IS NOT NULL
""")

_PAUSE = text("UPDATE usher.webhook_deliveries SET state = 'paused' WHERE user_id = :user_id AND state = 'pending'")


async def settle(connection: AsyncConnection, claimed: Claim, result: Result) -> bool:
    """Store the outcome of an attempt, if the lease is still held. True if the endpoint is paused now."""
    values = {
        "id": claimed.id,
        "claimed_until": claimed.claimed_until,
        "delivered": result.delivered,
        "status": result.status,
        "error": result.error,
        "retry_in_s": result.retry_in_s,
    }
    await connection.execute(_LOCK, {"lock": ENDPOINT_LOCK, "user_id": claimed.user_id})
    if await connection.scalar(_SETTLE, values) is None:
        return False
    if result.delivered:
        await connection.execute(_REVIVED, {"user_id": claimed.user_id})
    elif result.retry_in_s is None and claimed.url is not None:
        return await _count_failure(connection, claimed.user_id, gone=result.gone)
    return False


async def _count_failure(connection: AsyncConnection, user_id: int, *, gone: bool) -> bool:
    values = {"user_id": user_id, "gone": gone, "limit": FAILURES_UNTIL_PAUSE}
    paused = bool(await connection.scalar(_FAILED, values))
    if paused:
        await connection.execute(_PAUSE, {"user_id": user_id})
    return paused


_RESUME = text("""
WITH endpoint AS (
    DELETE FROM usher.webhook_endpoints WHERE user_id = :user_id
)
UPDATE usher.webhook_deliveries SET state = 'pending', next_attempt_at = now()
WHERE user_id = :user_id AND state = 'paused'
""")


async def resume(connection: AsyncConnection, user_id: int) -> int:
    """Reset a user's failures and queue the paused deliveries; returns their number. Called when a webhook is set."""
    await connection.execute(_LOCK, {"lock": ENDPOINT_LOCK, "user_id": user_id})
    return (await connection.execute(_RESUME, {"user_id": user_id})).rowcount


_PAUSED = text("SELECT paused_at IS NOT NULL FROM usher.webhook_endpoints WHERE user_id = :user_id")


async def is_paused(connection: AsyncConnection, user_id: int) -> bool:
    """True if the user's deliveries are kept and not sent."""
    return bool(await connection.scalar(_PAUSED, {"user_id": user_id}))


_LEDGER = """
SELECT id, event_id, event_type, meeting_id, state, attempts,
       CASE WHEN state = 'pending' THEN next_attempt_at END AS next_attempt_at, last_status, last_error, created_at,
       delivered_at, payload
FROM usher.webhook_deliveries
WHERE user_id = :user_id
"""
_NEWEST_FIRST = text(_LEDGER + "ORDER BY id DESC LIMIT :limit OFFSET :offset")
_ONE = text(_LEDGER + "AND id = :id")


async def deliveries(connection: AsyncConnection, user_id: int, *, limit: int, offset: int = 0) -> list[Delivery]:
    """A user's deliveries, the newest first."""
    rows = await connection.execute(_NEWEST_FIRST, {"user_id": user_id, "limit": limit, "offset": offset})
    return [Delivery(**row._mapping) for row in rows]


_REDELIVER = text("""
UPDATE usher.webhook_deliveries
SET state = 'pending', attempts = 0, next_attempt_at = now()
WHERE id = :id AND user_id = :user_id
""")


async def redeliver(connection: AsyncConnection, delivery_id: int, user_id: int) -> Delivery | None:
    """Queue a delivery again, with its event id and content; None if the user has no such delivery.

    A paused endpoint resumes.
    """
    values = {"id": delivery_id, "user_id": user_id}
    if (await connection.execute(_ONE, values)).one_or_none() is None:
        return None
    await resume(connection, user_id)
    await connection.execute(_REDELIVER, values)
    return Delivery(**(await connection.execute(_ONE, values)).one()._mapping)


_PRUNE = text("""
DELETE FROM usher.webhook_deliveries WHERE id IN (
    SELECT id FROM usher.webhook_deliveries
    WHERE state <> 'pending' AND created_at < now() - make_interval(days => :days)
    ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED
)
""")


async def prune(connection: AsyncConnection, *, days: int, limit: int) -> int:
    """Delete up to `limit` finished deliveries older than `days`; returns their number."""
    return (await connection.execute(_PRUNE, {"days": days, "limit": limit})).rowcount
