"""The callback client: what the bot says to the control plane, one method per callback.

It lives as long as the process. Each call has an event id that its retries share, and a sequence number that also
grows over a restart of the container, so that the control plane can tell old news. Commands in an answer go to the
inbox before the call returns. A callback that the control plane declines is logged and the life goes on: the next
heartbeat carries the state anyway.
"""

import itertools
import logging
import time
from typing import Any
from uuid import uuid4

from usher_bot.answers import Answer
from usher_bot.commands import Inbox
from usher_bot.errors import Dismissed, NotApplied, Unreachable
from usher_bot.exit_codes import Outcome
from usher_bot.retry import Retrier, RetryPolicy
from usher_bot.state import BotState
from usher_bot.transport import Transport
from usher_models import wire
from usher_models.states import Stage, Status

TEN_MINUTES = RetryPolicy(total_s=600.0)

logger = logging.getLogger(__name__)


class ControlPlane:
    """Says things for one bot. Every method raises Dismissed when the bot must exit."""

    def __init__(
        self,
        *,
        connection_id: str,
        container_id: str | None,
        transport: Transport,
        retrier: Retrier,
        inbox: Inbox,
    ) -> None:
        self._who = {"connection_id": connection_id, "container_id": container_id}
        self._transport = transport
        self._retrier = retrier
        self._inbox = inbox
        self._seq = itertools.count(time.time_ns() // 1_000_000)

    async def started(self) -> Answer:
        """The process runs. Raises Unreachable when nobody took it for ten minutes."""
        return await self._send("POST", "started", wire.Started(**self._event()), policy=TEN_MINUTES)

    async def joined(self) -> bool:
        """The bot is in the meeting; whether that was heard."""
        return await self._try_to_send("POST", "joined", wire.Joined(**self._event()), policy=TEN_MINUTES)

    async def status(self, *, status: Status | None = None, stage: Stage | None = None) -> bool:
        """The bot is leaving, or moved on within its status; whether that was heard."""
        body = wire.StatusUpdate.model_validate({**self._event(), "status": status, "stage": stage})
        return await self._try_to_send("PATCH", "status", body, policy=TEN_MINUTES)

    async def heartbeat(self, state: BotState, *, participants: int | None, within_s: float) -> Answer | None:
        """The bot lives. None when that was not heard in time; the next beat says it anew."""
        body = wire.Heartbeat(
            status=state.status,
            stage=state.stage,
            applied_generation=state.applied_generation,
            participants=participants,
            **self._event(),
        )
        try:
            return await self._send("POST", "heartbeat", body, policy=RetryPolicy(total_s=within_s, longest_wait_s=5.0))
        except (Unreachable, Dismissed) as exc:
            if isinstance(exc, Dismissed) and self._retrier.is_final(exc):
                raise
            logger.warning("A heartbeat was not heard: %s", exc, extra={"action": "heartbeat_unheard"})
            return None

    async def exited(self, outcome: Outcome, *, within_s: float | None = None) -> bool:
        """The last word; whether it was heard. `within_s` is set when the process has little time left."""
        policy = TEN_MINUTES if within_s is None else _within(within_s)
        body = wire.Exited(exit_code=outcome.exit_code, reason=outcome.reason, detail=outcome.detail, **self._event())
        return await self._try_to_send("POST", "exited", body, policy=policy)

    async def _try_to_send(self, method: str, name: str, body: Any, *, policy: RetryPolicy) -> bool:
        try:
            await self._send(method, name, body, policy=policy)
        except Unreachable as exc:
            logger.error("Nobody heard %s: %s", name, exc, extra={"action": f"{name}_unheard"})
            return False
        return True

    async def _send(self, method: str, name: str, body: Any, *, policy: RetryPolicy) -> Answer:
        document = body.model_dump(mode="json", exclude_none=True)

        async def send() -> Answer:
            return await self._transport.send(method, name, body=document, timeout_s=policy.try_s)

        try:
            answer = await self._retrier.call(send, policy=policy)
        except NotApplied as exc:
            logger.warning("%s was not applied: %s", name, exc, extra={"action": f"{name}_not_applied"})
            return Answer()
        for command in answer.commands:
            self._inbox.put(command)
        return answer

    def _event(self) -> dict[str, Any]:
        return {**self._who, "event_id": str(uuid4()), "seq": next(self._seq)}


def _within(seconds: float) -> RetryPolicy:
    return RetryPolicy(total_s=seconds, longest_wait_s=2.0, longest_retry_after_s=2.0)
