"""The words of Vexa 0.6 to 0.12, when a server is configured to use them (USHER_LEGACY_STATUSES).

Those versions have no `reserved` and no `starting`: a bot is requested, joining, or awaiting admission. Their clients
also check `completion_reason`, `failure_stage` and `normalized_status` against lists of their own. Only answers of the
REST API change; rows, BotRequests and webhooks keep Usher's own words.
"""

from dataclasses import dataclass

from pydantic import SerializationInfo

from usher_models.states import Reason, Stage, Status

# The key of the serialisation's context.
LEGACY_STATUSES = "legacy_statuses"

REQUESTED, JOINING, WAITING = "requested", "joining", "awaiting_admission"

_NORMALIZED = {REQUESTED: "Requested", JOINING: "Starting", WAITING: "Starting", "active": "Up", "stopping": "Stopping"}
_STAGES = {"reserved": REQUESTED, "starting": JOINING, "active": "active", "stopping": "active"}

# The completion reasons that every version with the field knows, and those of Usher that mean the same.
_REASONS = frozenset(
    {
        "stopped",
        "validation_error",
        "awaiting_admission_timeout",
        "awaiting_admission_rejected",
        "left_alone",
        "evicted",
        "max_bot_time_exceeded",
        "join_failure",
    }
)
_SAME: dict[str, str] = {
    Reason.LEFT: "stopped",
    Reason.STOPPED_BEFORE_START: "stopped",
    Reason.REQUEST_DELETED: "stopped",
    Reason.EXITED_ZERO: "stopped",
    Reason.MAX_DURATION: "max_bot_time_exceeded",
    Reason.DEADLINE_EXCEEDED: "max_bot_time_exceeded",
    "admission_timeout": "awaiting_admission_timeout",
    "lobby_timeout": "awaiting_admission_timeout",
    "admission_denied": "awaiting_admission_rejected",
    "removed": "evicted",
    "kicked": "evicted",
    "alone": "left_alone",
}


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
    return status


def normalized(status: str, info: SerializationInfo, *, stage: str | None = None) -> str:
    """The state of the bot's container, as those versions derived it from Docker."""
    if not enabled(info):
        return status
    return _NORMALIZED.get(displayed(status, info, stage=stage), "Starting")


def failure_stage(stage: str | None, info: SerializationInfo) -> str | None:
    """How far a failed meeting came."""
    return _STAGES.get(stage, stage) if stage and enabled(info) else stage


def completion_reason(reason: str | None, info: SerializationInfo, *, status: str, stage: str | None) -> str | None:
    """Why a meeting ended, or None if those versions have no word for it."""
    if reason is None or not enabled(info):
        return reason
    same = _SAME.get(reason, reason)
    if same in _REASONS:
        return same
    if status == Status.COMPLETED:
        return "stopped"
    return "join_failure" if stage in (Status.RESERVED, Status.STARTING) else None


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
    return StatusFilter(statuses=[status])
