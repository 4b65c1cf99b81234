"""Refusing a BotRequest: a condition and an Event with the reason, and no row."""

import logging
from collections.abc import Callable
from datetime import datetime

from usher_models.errors import InvalidMeeting, KubernetesUnavailable, Refused
from usher_operator.kube import botrequest_status, events
from usher_operator.kube.botrequest import BotRequest
from usher_operator.kube.port import Json, KubePort, WriteRefused
from usher_operator.telemetry import RESERVATIONS

logger = logging.getLogger(__name__)


class Refuser:
    """Writes refusals on BotRequests."""

    def __init__(self, *, kube: KubePort, now: Callable[[], datetime], installation: str) -> None:
        self._installation = installation
        self._kube = kube
        self._now = now

    async def refuse(self, request: BotRequest, error: Refused | InvalidMeeting) -> None:
        """Write the condition, then the Event. Raises KubernetesUnavailable."""
        RESERVATIONS.labels(outcome=error.code).inc()
        logger.info(
            "Refused a request: %s", error, extra={"action": "refused", "reason": error.code, **request.log_fields()}
        )
        now = self._now()
        status = botrequest_status.refusal_of(
            error, spec=request.raw_spec, generation=request.generation, now=now, installation=self._installation
        )
        await self._write(request, status)
        event = events.event(
            namespace=request.namespace,
            name=request.name,
            uid=request.uid,
            kind="Warning",
            reason=botrequest_status.camel(error.code),
            message=str(error),
            now=now,
            # The watch and the sweep may both refuse it.
            once=f"refused/{request.generation}/{error.code}",
        )
        await self._kube.create_event(request.namespace, event)

    async def _write(self, request: BotRequest, status: Json) -> None:
        try:
            await self._kube.patch_request_status(request.namespace, request.name, status, uid=request.uid)
        except WriteRefused as exc:
            raise KubernetesUnavailable(f"The refusal could not be written: {exc}") from exc
