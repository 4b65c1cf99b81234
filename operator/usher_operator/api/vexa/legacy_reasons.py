"""Usher's reasons in the words of Vexa: the completion reasons of v0.10.7, all of which the newest knows too.

Older versions have no such field in their answers. None: Vexa has no word for it, mostly because the cluster ended the
bot; how far the bot had come decides then.
"""

from usher_models.states import Reason, Status

# MeetingCompletionReason of v0.10.7, without two that say what no reason of Usher's does.
WORDS = frozenset(
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

OF_REASON: dict[str, str | None] = {
    Reason.LEFT: "stopped",
    Reason.STOPPED: "stopped",
    Reason.STOPPED_BEFORE_START: "stopped",
    Reason.REQUEST_DELETED: "stopped",
    Reason.EXITED_ZERO: "stopped",
    Reason.MAX_DURATION: "max_bot_time_exceeded",
    Reason.DEADLINE_EXCEEDED: "max_bot_time_exceeded",
    Reason.REQUEST_REFUSED: "validation_error",
    Reason.JOB_CREATE_FAILED: "join_failure",
    Reason.NEVER_STARTED: "join_failure",
    Reason.NEVER_JOINED: "join_failure",
    Reason.EXITED_SILENTLY: "join_failure",
    Reason.IMAGE_PULL_FAILED: "join_failure",
    Reason.INIT_CONTAINER_FAILED: "join_failure",
    Reason.HEARTBEAT_LOST: None,
    Reason.NEVER_EXITED: None,
    Reason.JOB_MISSING: None,
    Reason.JOB_DELETED: None,
    Reason.JOB_SUSPENDED: None,
    Reason.POD_DELETED: None,
    Reason.TERMINATED: None,
    Reason.OOM_KILLED: None,
    # Vexa's `evicted` was removed from its meeting, this pod from its node.
    Reason.EVICTED: None,
    Reason.PREEMPTED: None,
    Reason.NODE_LOST: None,
    Reason.JOB_FAILED: None,
    Reason.LEAVE_IGNORED: None,
    Reason.ENDED_EXTERNALLY: None,
    Reason.MEETING_DELETED: None,
    # Bots' own.
    "meeting_ended": "stopped",
    "left_alone": "left_alone",
    "nobody_came": "left_alone",
    "only_bots_left": "left_alone",
    "meeting_silent": "left_alone",
    "evicted_from_meeting": "evicted",
    "admission_denied": "awaiting_admission_rejected",
    "meeting_full_or_locked": "awaiting_admission_rejected",
    "admission_timeout": "awaiting_admission_timeout",
    "meeting_not_started": "awaiting_admission_timeout",
    "meeting_not_found": "join_failure",
    "passcode_needed": "join_failure",
    "passcode_wrong": "join_failure",
    "sign_in_needed": "join_failure",
    "captcha_shown": "join_failure",
    "blocked_by_platform": "join_failure",
    "browser_failed": "join_failure",
    "network_lost": None,
    "page_crashed": None,
    "page_hung": None,
    "browser_crashed": None,
    "unknown_page": None,
    "driver_error": None,
    "bot_silent": None,
    "control_plane_unreachable": None,
    "dismissed": None,
}


def word_of(reason: str, *, owned: bool, status: str, reached: str | None) -> str | None:
    """The word for why a meeting ended. `owned`: Usher ran its bot; the rows of others have Vexa's own words.
    `reached`: the last status before the end."""
    word = OF_REASON.get(reason, reason) if owned else reason
    if word in WORDS:
        return word
    if status == Status.COMPLETED:
        return "stopped"
    return "join_failure" if reached in (Status.RESERVED, Status.STARTING) else None
