"""The callback client: the bot's reports to the control plane, one method per callback.

It lives as long as the process. Each call has an event id that its retries share, and a sequence number that also
grows over a restart of the container, so that the control plane can tell old news. Commands in an answer go to the
inbox before the call returns. A callback that the control plane declines is logged and the bot goes on: the next
heartbeat carries the state anyway.
"""

import itertools
import logging
import time
from collections.abc import Callable, Coroutine
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

ExitReport = Callable[[float | None], Coroutine[Any, Any, bool]]

logger = logging.getLogger(__name__)


class ControlPlane:
    """Reports for one bot. Every method raises Dismissed when the bot must exit."""

    def __init__(
        self,
        *,
        connection_id: str,
        container_id: str | None,
        transport: Transport,
        retrier: Retrier,
        inbox: Inbox,
    ) -> None:
        self._identity = {"connection_id": connection_id, "container_id": container_id}
        self._transport = transport
        self._retrier = retrier
        self._inbox = inbox
        self._seq = itertools.count(time.time_ns() // 1_000_000)

    @property
    def failure(self) -> str | None:
        """Why the newest callback was not delivered; None if it was."""
        return self._retrier.failure

    async def started(self) -> Answer:
        """The process runs. Raises Unreachable if it was not accepted within ten minutes."""
        return await self._send("POST", "started", wire.Started(**self._event()), policy=TEN_MINUTES)

    async def joined(self) -> bool:
        """The bot is in the meeting. True if that was delivered."""
        return await self._try_to_send("POST", "joined", wire.Joined(**self._event()), policy=TEN_MINUTES)

    async def status(self, *, status: Status | None = None, stage: Stage | None = None) -> bool:
        """The bot is leaving, or moved on within its status. True if that was delivered."""
        body = wire.StatusUpdate.model_validate({**self._event(), "status": status, "stage": stage})
        return await self._try_to_send("PATCH", "status", body, policy=TEN_MINUTES)

    async def heartbeat(self, state: BotState, *, participants: int | None, within_s: float) -> Answer | None:
        """The bot is alive. None if that was not delivered in time; the next heartbeat repeats it."""
        body = wire.Heartbeat(
            status=state.status,
            stage=state.stage,
            applied_generation=state.applied_generation,
            participants=participants,
            detail=state.explain(),
            **self._event(),
        )
        try:
            return await self._send("POST", "heartbeat", body, policy=RetryPolicy(total_s=within_s, longest_wait_s=5.0))
        except (Unreachable, Dismissed) as exc:
            if isinstance(exc, Dismissed) and self._retrier.is_final(exc):
                raise
            logger.warning("A heartbeat was not delivered: %s", exc, extra={"action": "heartbeat_undelivered"})
            return None

    def exit_report(self, outcome: Outcome) -> ExitReport:
        """A function that sends `exited` in the given time, None for ten minutes. Each call repeats the same event, so
        that a report cut short by SIGTERM can be sent again."""
        body = wire.Exited(
            exit_code=outcome.exit_code,
            reason=outcome.reason,
            reason_kind=outcome.reason_kind,
            detail=outcome.detail,
            **self._event(),
        )

        async def send(within_s: float | None) -> bool:
            policy = TEN_MINUTES if within_s is None else _within(within_s)
            return await self._try_to_send("POST", "exited", body, policy=policy)

        return send

    async def _try_to_send(self, method: str, name: str, body: Any, *, policy: RetryPolicy) -> bool:
        try:
            await self._send(method, name, body, policy=policy)
        except Unreachable as exc:
            logger.error("%s was not delivered: %s", name, exc, extra={"action": f"{name}_undelivered"})
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
        return {**self._identity, "event_id": str(uuid4()), "seq": next(self._seq)}


def _within(seconds: float) -> RetryPolicy:
    return RetryPolicy(total_s=seconds, longest_wait_s=2.0, longest_retry_after_s=2.0)
