"""The outbox from the sender's side, and the ledger from the user's.

A claim is a lease: whoever dies with it gives it back by dying. It is also the fence: a settlement counts only while
the row still bears the lease it was claimed with, so a sender that woke up too late changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.leader_lock import ENDPOINT_LOCK

# This many deliveries in a row that failed to their last attempt pause an endpoint.
FAILURES_UNTIL_PAUSE = 20


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A delivery that is this sender's until the lease ends. `url` is None when the user has no webhook any more."""

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
    """How an attempt ended. `retry_in_s` None: it was the last. `gone`: the endpoint wants no more."""

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
    """Up to `limit` deliveries that are due, none of a `busy` user's; nobody else gets them while the lease lasts."""
    rows = await connection.execute(_CLAIM, {"limit": limit, "lease_s": lease_s, "busy": list(busy)})
    return [Claim(**row._mapping) for row in rows]


# Two deliveries of a user that end at the same moment, and a resumption, would else lock each other's rows crosswise.
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
    """Note how an attempt ended; whether its endpoint is paused now. Without the lease, nothing is noted."""
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
    """Forget a user's failures and send what waited meanwhile; how many. Called when a webhook is set (again)."""
    await connection.execute(_LOCK, {"lock": ENDPOINT_LOCK, "user_id": user_id})
    return (await connection.execute(_RESUME, {"user_id": user_id})).rowcount


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
    """Send that delivery once more, with its event id and its content; None when the user has no such delivery.

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
    ORDER BY id LIMIT :limit
)
""")


async def prune(connection: AsyncConnection, *, days: int, limit: int) -> int:
    """Delete up to `limit` deliveries that are over and older than `days`; how many."""
    return (await connection.execute(_PRUNE, {"days": days, "limit": limit})).rowcount
