"""Events on the BotRequests concerned: the stale checks are paused, and they are resumed.

An Event is an API write, and a brownout concerns most of the fleet while something is down: a few BotRequests get one,
at the beginning and at the end. The log and the metrics `usher_brownout_active` and `usher_brownouts` tell the whole.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from usher_models.db.bots import BotSummary
from usher_operator.kube.api_budget import ApiBudget
from usher_operator.kube.events import event
from usher_operator.kube.port import KubePort
from usher_operator.telemetry import BROWNOUTS

EVENTS_AT_MOST = 10

PAUSED = (
    "Most bots stopped reporting at once, which is more likely Usher's fault than theirs: none of them is failed yet."
)
RESUMED = "Stale bots are failed again."


class BrownoutEvents:
    """Remembers the bots whose BotRequests got an Event; after a restart a brownout that goes on is posted again."""

    def __init__(self, kube: KubePort) -> None:
        self._kube = kube
        self._bots: list[BotSummary] = []

    async def post(self, stale: Sequence[BotSummary], api: ApiBudget, *, active: bool) -> None:
        """Post that a brownout has begun or ended; nothing while it stays as it is. It never raises."""
        if active and not self._bots:
            self._bots = [bot for bot in stale if bot.request_name][:EVENTS_AT_MOST]
            BROWNOUTS.labels(event="begun").inc()
            await self._post_all(api, "StaleChecksPaused", PAUSED)
        elif not active and self._bots:
            BROWNOUTS.labels(event="ended").inc()
            await self._post_all(api, "StaleChecksResumed", RESUMED)
            self._bots = []

    async def _post_all(self, api: ApiBudget, reason: str, message: str) -> None:
        await api.gather(*(self._post(bot, api, reason, message) for bot in self._bots))

    async def _post(self, bot: BotSummary, api: ApiBudget, reason: str, message: str) -> None:
        namespace = bot.request_namespace or ""
        body = event(
            namespace=namespace,
            name=bot.request_name or "",
            uid=bot.request_uid or "",
            kind="Warning" if reason == "StaleChecksPaused" else "Normal",
            reason=reason,
            message=message,
            now=datetime.now(UTC),
        )
        await api.call(namespace, lambda: self._kube.create_event(namespace, body))
