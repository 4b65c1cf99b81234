"""What a stale meeting's end says: the rule's sentence, what else is known, and whose doing it is. Pure functions."""

from datetime import UTC
from typing import Any

from usher_models.db.bots import StaleBot
from usher_models.outcomes import Party
from usher_models.states import Reason, sentence
from usher_operator.kube.evidence import is_node_ready, node_of, refusal_of_pod, waiting_reason
from usher_operator.kube.port import Json


def message_of(reason: Reason, bot: StaleBot, pod: Json | None, detail: dict[str, Any]) -> str:
    """The message of a meeting that a rule fails with `reason`. `detail`: the last words of its pod."""
    message = sentence(reason)
    cause = waiting_reason(pod) or (refusal_of_pod(detail) if pod is None else None)
    if cause:
        message = f"{message.removesuffix('.')}: {cause.removesuffix('.')}."
    if reason is Reason.HEARTBEAT_LOST:
        message = f"{message} {_last_heartbeat(bot)}"
    return " ".join(part for part in (message, node_of(pod)) if part)


def fault_of_stale(reason: Reason, bot: StaleBot, pod: Json | None) -> Party | None:
    """Whose doing it is that a bot is stale, where more is known than its rule; None if there is not.

    A reservation for which no Job was ever tried is Usher's own fault. A bot whose node is not ready is not to blame.
    """
    if reason is Reason.NEVER_STARTED and bot.job_created_at is None and bot.reason == Reason.REQUESTED:
        return Party.USHER
    return Party.INFRASTRUCTURE if is_node_ready(pod) is False else None


def _last_heartbeat(bot: StaleBot) -> str:
    at = bot.reported_at.astimezone(UTC)
    return f"The last one came {bot.unreported_s:.0f} s before, at {at:%H:%M:%S} UTC."
