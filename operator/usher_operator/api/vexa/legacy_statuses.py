"""The statuses that clients of Vexa 0.6 to 0.10 expect, when a server is configured to use them.

Those versions had no `reserved` and no `starting`: a bot was requested, joining, or awaiting admission. Only answers of
the REST API change; rows, BotRequests and webhooks keep Usher's own statuses.
"""

from pydantic import SerializationInfo

from usher_models.states import Stage, Status

# The key of the serialisation's context.
LEGACY_STATUSES = "legacy_statuses"

_JOINING = "joining"
_WAITING = "awaiting_admission"


def displayed(status: str, info: SerializationInfo, *, stage: str | None = None) -> str:
    """The status in the words of this server's clients."""
    if not (info.context or {}).get(LEGACY_STATUSES):
        return status
    if status == Status.RESERVED:
        return "requested"
    if status == Status.STARTING:
        return _WAITING if stage == Stage.LOBBY else _JOINING
    return status
