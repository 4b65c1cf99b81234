"""Live bots that a sweep leaves out: those whose rows it cannot read, and those in namespaces that are not served."""

import logging
from collections.abc import Iterable, Sequence

from usher_models.db.bots import BotSummary, UnreadableBot
from usher_operator.telemetry import BOTS_LEFT_OUT

logger = logging.getLogger(__name__)


class LeftOut:
    """Counts them in every sweep, and logs each once, as long as it stays so."""

    def __init__(self) -> None:
        self._logged: set[object] = set()

    def note(self, live: Iterable[BotSummary], unreadable: Sequence[UnreadableBot], *, served: Sequence[str]) -> None:
        """Count and log what this sweep leaves out."""
        unserved = [bot for bot in live if bot.request_namespace is not None and bot.request_namespace not in served]
        BOTS_LEFT_OUT.labels(why="unreadable").set(len(unreadable))
        BOTS_LEFT_OUT.labels(why="namespace_not_served").set(len(unserved))
        namespaces = {bot.request_namespace for bot in unserved}
        for row in unreadable:
            if row not in self._logged:
                _log_unreadable(row)
        for namespace in sorted(str(name) for name in namespaces - self._logged):
            _log_unserved(namespace)
        self._logged = {*unreadable, *namespaces}


def _log_unreadable(row: UnreadableBot) -> None:
    logger.error(
        "Meeting %d has the status %r, which Usher does not know; its bot is left alone until the row is corrected.",
        row.meeting_id,
        row.status,
        extra={"action": "row_unreadable", "meeting_id": row.meeting_id, "status": row.status},
    )


def _log_unserved(namespace: str) -> None:
    logger.warning(
        "Namespace %s has live bots and is not served; only the stale rules apply to them (see USHER_NAMESPACES).",
        namespace,
        extra={"action": "namespace_not_served", "namespace": namespace},
    )
