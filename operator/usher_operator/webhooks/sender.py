"""The loop that empties the outbox, in every `usher serve`: claim a few, send them side by side, note how it ended.

Replicas need not know of each other: a claim is a row lock and then a lease. A user whose receiver hangs holds only
some of the slots. What is under way at the end is finished; what a killed replica held comes back with its lease.
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
from usher_operator.webhooks.outcomes import NO_WEBHOOK, fields, result_of, tell
from usher_operator.webhooks.transport import TIMEOUT_S, Answer, Transport

logger = logging.getLogger(__name__)

POLL_S = 1.0
CONCURRENCY = 64
# Of one user's deliveries, this many may be under way before no more of them are claimed; also how many at once are.
PER_USER = 4
# Callbacks need the pool more.
CONNECTIONS = 2
LEASE_S = 6 * TIMEOUT_S
_MESSAGES = Messages(action="webhooks", postponed="Webhooks are sent later", failed="Webhooks could not be claimed")


def _now() -> datetime:
    return datetime.now(UTC)


class Sender:
    """Sends what is due. `lease_s` must outlast an attempt and its settlement."""

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
        self._busy: Counter[int] = Counter()
        self._turns = asyncio.Semaphore(CONNECTIONS)
        self._woken = asyncio.Event()
        self._stopped = False

    async def run(self) -> None:
        """Send until `stop`, then finish what is under way."""
        async with asyncio.TaskGroup() as sending:
            await repeat(
                partial(self._claim_and_send, sending),
                _MESSAGES,
                every_s=POLL_S,
                pause=partial(wait, self._woken),
                stopped=lambda: self._stopped,
            )

    def stop(self) -> None:
        """Let `run` end."""
        self._stopped = True
        self._woken.set()

    async def _claim_and_send(self, sending: asyncio.TaskGroup) -> float | None:
        """Begin to send the next few; 0 if there may be more of them at once."""
        self._woken.clear()
        if self._busy.total() + PER_USER > CONCURRENCY:
            return None
        claims = await self.claim()
        for each in claims:
            sending.create_task(self._send_safely(each), name=f"webhook {each.event_id}")
        return 0 if claims else None

    async def send_due(self) -> int:
        """Send everything that is due now, once each; how many."""
        sent = 0
        while claims := await self.claim():
            await asyncio.gather(*(self.send(each) for each in claims))
            sent += len(claims)
        return sent

    async def claim(self) -> list[Claim]:
        """The next few deliveries. Raises DatabaseUnavailable."""
        busy = [user_id for user_id, count in self._busy.items() if count >= PER_USER]
        async with self._turns, self._database.transaction() as connection:
            claims = await webhook_deliveries.claim(connection, limit=PER_USER, lease_s=self._lease_s, busy=busy)
        self._busy.update(each.user_id for each in claims)
        return claims

    async def _send_safely(self, claimed: Claim) -> None:
        try:
            await self.send(claimed)
        except Unavailable as exc:
            # The lease ends, and the delivery is sent again: the receiver knows its event id.
            logger.warning("A webhook's outcome is not noted: %s", exc, extra=fields(claimed, "webhook_unsettled"))
        except Exception:
            logger.exception("A webhook could not be sent.", extra=fields(claimed, "webhook_broken"))

    async def send(self, claimed: Claim) -> None:
        """Attempt one delivery and note how it ended. Raises DatabaseUnavailable."""
        try:
            answer = await self._attempt(claimed)
            result = result_of(claimed, answer)
            async with self._turns, self._database.transaction() as connection:
                paused = await webhook_deliveries.settle(connection, claimed, result)
        finally:
            self._release(claimed.user_id)
        tell(claimed, answer, result, paused=paused)

    def _release(self, user_id: int) -> None:
        self._busy[user_id] -= 1
        if self._busy[user_id] <= 0:
            del self._busy[user_id]
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
