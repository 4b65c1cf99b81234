"""Why the program under the exec driver ended, in Usher's words.

Vexa's bots say it twice, in words that differ between versions: `reason` is what happened, `completion_reason` a
coarser word that is `stopped` for whatever has no other. Some mean something else here: Vexa's `evicted` was removed
from its meeting, Usher's from its node.
"""

import re
from typing import Any, get_args

from usher_models.states import REASON_PATTERN
from usher_models.wire import ReasonKind

_MEANINGS = {
    "self_initiated_leave": "stopped",
    "stop_requested_pre_admission": "stopped",
    "left_alone_timeout": "left_alone",
    "startup_alone": "nobody_came",
    "startup_alone_timeout": "nobody_came",
    "evicted": "evicted_from_meeting",
    "removed_by_admin": "evicted_from_meeting",
    "admission_failed": "admission_timeout",
    "admission_never_admitted": "admission_timeout",
    "awaiting_admission_timeout": "admission_timeout",
    "never_admitted": "admission_timeout",
    "admission_rejected_by_admin": "admission_denied",
    "awaiting_admission_rejected": "admission_denied",
    "auth_session_missing": "sign_in_needed",
    "max_bot_time_exceeded": "max_duration_exceeded",
    "normal_completion": "meeting_ended",
}


def end_reason(body: dict[str, Any]) -> str | None:
    """The reason in the last callback of a program; None if it has none that a machine can read."""
    said, coarse = _word(body.get("reason")), _word(body.get("completion_reason"))
    if said in _MEANINGS or (coarse == "stopped" and said):
        coarse = said
    word = coarse or said
    return _MEANINGS.get(word, word) if word else None


def end_kind(body: dict[str, Any]) -> ReasonKind | None:
    """Whose doing the program says its end was; None if it does not say."""
    kind = body.get("reason_kind")
    return next((known for known in get_args(ReasonKind) if known == kind), None)


def _word(value: Any) -> str | None:
    """The value when it is a reason for machines; some bots write sentences there."""
    return value if isinstance(value, str) and re.fullmatch(REASON_PATTERN, value) else None
