"""The loop that sends the outbox, in every `usher serve`: claim a few deliveries, send them concurrently, store the
outcomes.

Replicas do not coordinate: a claim is a row lock and then a lease. A user whose receiver hangs occupies only some of
the slots. Deliveries in flight are finished at shutdown; those of a killed replica return when their lease ends.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from usher_models.db import webhook_deliveries
from usher_models.db.engine import Database
from usher_models.db.webhook_deliveries import Claim
from usher_models.errors import Unavailable
from usher_operator.background.loop import Messages, repeat
from usher_operator.webhooks import signature
from usher_operator.webhooks.outcomes import NO_WEBHOOK, fields, report, result_of
from usher_operator.webhooks.transport import TIMEOUT_S, Answer, Transport

logger = logging.getLogger(__name__)

POLL_S = 1.0
CONCURRENCY = 64
# One user's deliveries in flight, beyond which no more of them are claimed; also the size of a claim.
PER_USER = 4
# Leaves the pool to callbacks.
CONNECTIONS = 2
LEASE_S = 6 * TIMEOUT_S
_MESSAGES = Messages(action="webhooks", postponed="Webhooks are sent later", failed="Webhooks could not be claimed")


def _now() -> datetime:
    return datetime.now(UTC)


class Sender:
    """Sends due deliveries. `lease_s` must outlast an attempt and its settlement."""

    def __init__(
        self,
        *,
        database: Database,
        transport: Transport,
        lease_s: float = LEASE_S,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._database = database
        self._transport = transport
        self._lease_s = lease_s
        self._now = now
        self._in_flight: Counter[int] = Counter()
        self._connections = asyncio.Semaphore(CONNECTIONS)
        self._woken = asyncio.Event()
        self._stopped = False

    async def run(self) -> None:
        """Send until `stop`, then finish the deliveries in flight."""
        async with asyncio.TaskGroup() as sending:
            await repeat(
                partial(self._claim_and_send, sending),
                _MESSAGES,
                every_s=POLL_S,
                pause=partial(wait, self._woken),
                stopped=lambda: self._stopped,
            )

    def stop(self) -> None:
        """Make `run` end."""
        self._stopped = True
        self._woken.set()

    async def _claim_and_send(self, sending: asyncio.TaskGroup) -> float | None:
        """Begin to send the next few; 0 if there may be more of them at once."""
        self._woken.clear()
        if self._in_flight.total() + PER_USER > CONCURRENCY:
            return None
        claims = await self.claim()
        for each in claims:
            sending.create_task(self._send_safely(each), name=f"webhook {each.event_id}")
        return 0 if claims else None

    async def send_due(self) -> int:
        """Attempt each due delivery once; returns their number."""
        sent = 0
        while claims := await self.claim():
            await asyncio.gather(*(self.send(each) for each in claims))
            sent += len(claims)
        return sent

    async def claim(self) -> list[Claim]:
        """Claim the next few deliveries. Raises DatabaseUnavailable."""
        busy = [user_id for user_id, count in self._in_flight.items() if count >= PER_USER]
        async with self._connections, self._database.transaction() as connection:
            claims = await webhook_deliveries.claim(connection, limit=PER_USER, lease_s=self._lease_s, busy=busy)
        self._in_flight.update(each.user_id for each in claims)
        return claims

    async def _send_safely(self, claimed: Claim) -> None:
        try:
            await self.send(claimed)
        except Unavailable as exc:
            # The delivery is sent again when the lease ends; the receiver recognises its event id.
            logger.warning(
                "The outcome of a webhook could not be stored: %s", exc, extra=fields(claimed, "webhook_unsettled")
            )
        except Exception:
            logger.exception("A webhook could not be sent.", extra=fields(claimed, "webhook_broken"))

    async def send(self, claimed: Claim) -> None:
        """Attempt one delivery and store the outcome. Raises DatabaseUnavailable."""
        try:
            answer = await self._attempt(claimed)
            result = result_of(claimed, answer)
            async with self._connections, self._database.transaction() as connection:
                paused = await webhook_deliveries.settle(connection, claimed, result)
        finally:
            self._release(claimed.user_id)
        report(claimed, answer, result, paused=paused)

    def _release(self, user_id: int) -> None:
        self._in_flight[user_id] -= 1
        if self._in_flight[user_id] <= 0:
            del self._in_flight[user_id]
        self._woken.set()

    async def _attempt(self, claimed: Claim) -> Answer:
        if claimed.url is None:
            return Answer(error=NO_WEBHOOK)
        signed = signature.headers(
            event_id=claimed.event_id,
            body=claimed.body,
            secret=claimed.secret,
            at=self._now(),
            encrypted=claimed.url.startswith("https://"),
        )
        return await self._transport.post(claimed.url, claimed.body, signed)


async def wait(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, at most that long."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
