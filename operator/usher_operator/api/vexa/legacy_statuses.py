"""What clients of Vexa 0.6 to 0.10 read for a status, where a server is told to speak as they did.

Those versions knew no `reserved` and no `starting`: a bot was requested, joining, or waiting to be admitted. Only what
is shown changes; rows, BotRequests and webhooks keep Usher's own words.
"""

from pydantic import SerializationInfo

from usher_models.states import Stage, Status

# The key of the serialisation's context.
LEGACY_STATUSES = "legacy_statuses"

_JOINING = "joining"
_WAITING = "awaiting_admission"


def shown(status: str, info: SerializationInfo, *, stage: str | None = None) -> str:
    """The status as this server's clients read it."""
    if not (info.context or {}).get(LEGACY_STATUSES):
        return status
    if status == Status.RESERVED:
        return "requested"
    if status == Status.STARTING:
        return _WAITING if stage == Stage.LOBBY else _JOINING
    return status
