"""What a stale meeting's end says: the rule's sentence, and what is known beyond it. Pure functions."""

from datetime import UTC
from typing import Any

from usher_models.db.bots import StaleBot
from usher_models.states import Reason, sentence
from usher_operator.kube.evidence import node_of, refusal_of_pod, waiting_reason
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


def _last_heartbeat(bot: StaleBot) -> str:
    at = bot.reported_at.astimezone(UTC)
    return f"The last one came {bot.unreported_s:.0f} s before, at {at:%H:%M:%S} UTC."
