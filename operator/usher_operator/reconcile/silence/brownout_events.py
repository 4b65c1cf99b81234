"""Saying on the BotRequests concerned that the sweep holds, and that it judges again.

An Event is an API write, and a hold concerns most of the fleet while something is down: a few are told, at the begin
and at the end. The log and the metrics `usher_brownout_active` and `usher_brownouts` say the whole.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from usher_models.db.bots import Bot
from usher_operator.kube.events import event
from usher_operator.kube.port import KubePort
from usher_operator.telemetry import BROWNOUTS

TOLD_AT_MOST = 10

HELD = "Most bots fell silent at once, which is more likely Usher's fault than theirs: nobody is failed for it yet."
RELEASED = "Silence is judged again."


class BrownoutEvents:
    """Remembers what was told last and whom; a restart tells a hold that goes on once more."""

    def __init__(self, kube: KubePort) -> None:
        self._kube = kube
        self._told: list[Bot] = []

    async def tell(self, silent: Sequence[Bot], *, holding: bool) -> None:
        """Tell a hold that has just begun or ended; nothing while it stays as it is. It never raises."""
        if holding and not self._told:
            self._told = [bot for bot in silent if bot.request_name][:TOLD_AT_MOST]
            BROWNOUTS.labels(event="begun").inc()
            await self._post("StaleChecksPaused", HELD)
        elif not holding and self._told:
            BROWNOUTS.labels(event="released").inc()
            await self._post("StaleChecksResumed", RELEASED)
            self._told = []

    async def _post(self, reason: str, message: str) -> None:
        for bot in self._told:
            told = event(
                namespace=bot.request_namespace or "",
                name=bot.request_name or "",
                uid=bot.request_uid or "",
                kind="Warning" if reason == "StaleChecksPaused" else "Normal",
                reason=reason,
                message=message,
                now=datetime.now(UTC),
            )
            await self._kube.create_event(bot.request_namespace or "", told)
