"""Whose doing the end of a meeting was, for every reason: Usher's in this table, the bot's in `usher_models.outcomes`.

A bot may say it of a reason of its own, as `reason_kind` in `exited`. Of a reason that a table knows, the table
decides. A meeting that completed went as intended, unless its reason says that somebody cut it short.
"""

from usher_models.outcomes import ENDINGS, Party
from usher_models.states import TERMINAL, Reason, Status

_PARTIES: dict[Party, frozenset[str]] = {
    # The owner took the request back, or wrote into the database what ends a meeting.
    Party.USER: frozenset(
        {
            Reason.STOPPED,
            Reason.STOPPED_BEFORE_START,
            Reason.REQUEST_DELETED,
            Reason.ENDED_EXTERNALLY,
            Reason.MEETING_DELETED,
        }
    ),
    # The cluster had no room, no image or no patience for it, or people took it away.
    Party.INFRASTRUCTURE: frozenset(
        {
            Reason.JOB_CREATE_FAILED,
            Reason.REQUEST_REFUSED,
            Reason.NEVER_STARTED,
            Reason.JOB_MISSING,
            Reason.JOB_DELETED,
            Reason.JOB_SUSPENDED,
            Reason.POD_DELETED,
            Reason.TERMINATED,
            Reason.INIT_CONTAINER_FAILED,
            Reason.EVICTED,
            Reason.PREEMPTED,
            Reason.IMAGE_PULL_FAILED,
            Reason.NODE_LOST,
            Reason.JOB_FAILED,
            "control_plane_unreachable",
        }
    ),
    # The bot's process ran, and did not do or did not say what it should have.
    Party.BOT: frozenset(
        {
            Reason.LEFT,
            Reason.EXITED_ZERO,
            Reason.NEVER_JOINED,
            Reason.HEARTBEAT_LOST,
            Reason.NEVER_EXITED,
            Reason.MAX_DURATION,
            Reason.OOM_KILLED,
            Reason.DEADLINE_EXCEEDED,
            Reason.EXITED_SILENTLY,
            Reason.LEAVE_IGNORED,
            "bot_silent",
            "dismissed",
        }
    ),
}
PARTY_OF: dict[str, Party] = {reason: party for party, reasons in _PARTIES.items() for reason in reasons} | {
    ending.reason: ending.fault for ending in ENDINGS.values()
}


def fault_of(reason: str, target: Status, *, declared: Party | None = None) -> Party | None:
    """Whose doing it was that a meeting ended as `target` for `reason`; None for a meeting that goes on.

    `declared`: what the bot said of it. A process that ended with an exit code alone, or with a reason that nobody
    explains, is the bot's.
    """
    if target not in TERMINAL:
        return None
    known = PARTY_OF.get(reason, Party.NONE)
    if target is Status.COMPLETED:
        return known if reason in ENDINGS else Party.NONE
    return (declared or Party.BOT) if known is Party.NONE else known
