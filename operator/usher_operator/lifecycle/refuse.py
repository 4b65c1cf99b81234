"""Refusing a BotRequest, with a condition, an Event and no row; and saying that one could not be handled."""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from usher_models.errors import InvalidMeeting, KubernetesUnavailable, Refused
from usher_operator.kube import botrequest_status, events
from usher_operator.kube.botrequest import BotRequest
from usher_operator.kube.port import Json, KubePort, WriteRefused
from usher_operator.telemetry import RESERVATIONS

logger = logging.getLogger(__name__)


MOST_REMEMBERED = 10_000


class Refuser:
    """Writes refusals on BotRequests."""

    def __init__(self, *, kube: KubePort, now: Callable[[], datetime], installation: str) -> None:
        self._installation = installation
        self._shown: set[tuple[str, int]] = set()
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

    async def show_error(self, request: BotRequest, error: Exception) -> None:
        """Say on a request without a status that it could not be handled. Best effort, once for each generation."""
        key = (request.uid, request.generation)
        if request.phase is not None or key in self._shown:
            return
        if len(self._shown) >= MOST_REMEMBERED:
            self._shown.clear()
        self._shown.add(key)
        status = botrequest_status.error_of(
            error, generation=request.generation, now=self._now(), installation=self._installation
        )
        with suppress(KubernetesUnavailable):
            await self._write(request, status)

    async def _write(self, request: BotRequest, status: Json) -> None:
        try:
            await self._kube.patch_request_status(request.namespace, request.name, status, uid=request.uid)
        except WriteRefused as exc:
            raise KubernetesUnavailable(f"The status of a request could not be written: {exc}") from exc
