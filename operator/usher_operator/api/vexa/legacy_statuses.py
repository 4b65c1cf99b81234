"""The words of Vexa 0.6 to 0.12, when a server is configured to use them (USHER_LEGACY_STATUSES).

Those versions have no `reserved` and no `starting`: a bot is requested, joining, or awaiting admission. Their clients
also check `completion_reason` (`legacy_reasons`), `failure_stage` and `normalized_status` against lists of their own.
Only answers of the REST API change; rows, BotRequests and webhooks keep Usher's own words.
"""

from dataclasses import dataclass

from pydantic import SerializationInfo

from usher_models.states import Stage, Status

# The key of the serialisation's context.
LEGACY_STATUSES = "legacy_statuses"

REQUESTED, JOINING, WAITING = "requested", "joining", "awaiting_admission"
# Vexa's rows say needs_help, and its API says otherwise.
NEEDS_HELP = "needs_human_help"

_NORMALIZED = {
    REQUESTED: "Requested",
    JOINING: "Starting",
    WAITING: "Starting",
    NEEDS_HELP: "Up",
    "active": "Up",
    "stopping": "Stopping",
}
_STAGES = {"reserved": REQUESTED, "starting": JOINING, "active": "active", "stopping": "active"}


def enabled(info: SerializationInfo) -> bool:
    """True if the answer is for clients of those versions."""
    return bool((info.context or {}).get(LEGACY_STATUSES))


def displayed(status: str, info: SerializationInfo, *, stage: str | None = None) -> str:
    """The status in the words of this server's clients."""
    return status_word(status, stage=stage) if enabled(info) else status


def status_word(status: str, *, stage: str | None = None) -> str:
    """The status in the words of those versions."""
    if status == Status.RESERVED:
        return REQUESTED
    if status == Status.STARTING:
        return WAITING if stage == Stage.LOBBY else JOINING
    return NEEDS_HELP if status == "needs_help" else status


def normalized(status: str, info: SerializationInfo, *, stage: str | None = None) -> str:
    """The state of the bot's container, as those versions derived it from Docker."""
    if not enabled(info):
        return status
    return _NORMALIZED.get(displayed(status, info, stage=stage), "Starting")


def failure_stage(reached: str | None, *, stage: str | None = None) -> str | None:
    """How far a failed meeting came."""
    if reached == Status.STARTING and stage == Stage.LOBBY:
        return WAITING
    return _STAGES.get(reached, reached) if reached else None


@dataclass(frozen=True, kw_only=True)
class StatusFilter:
    """Which rows have a status in the words of this server's clients. `in_lobby` tells starting bots apart."""

    statuses: list[str]
    in_lobby: bool | None = None


def status_filter(status: str, *, legacy: bool) -> StatusFilter:
    """The rows that are displayed with that status."""
    if not legacy:
        return StatusFilter(statuses=[status])
    if status == REQUESTED:
        return StatusFilter(statuses=[status, Status.RESERVED])
    if status in (JOINING, WAITING):
        return StatusFilter(statuses=[status, Status.STARTING], in_lobby=status == WAITING)
    if status == NEEDS_HELP:
        return StatusFilter(statuses=[status, "needs_help"])
    return StatusFilter(statuses=[status])
