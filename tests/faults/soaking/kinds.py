"""The kinds of bots of a soak: what each lives through by itself, and how its life may end.

An end is a status and a reason. What people do adds ends: a bot that was asked to leave may end as `stopped`, and no
other may. A healthy bot has no end with `failed`, whatever was killed around it.
"""

from dataclasses import dataclass
from enum import StrEnum

from tests.load.botswarm import Script

End = tuple[str, str]

FOR_EVER_S = 7200.0


class Once(StrEnum):
    """What befalls a bot soon after it joined."""

    NOTHING = ""
    FROZEN = "frozen"
    KILLED = "killed"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind: its ends by itself, and those it may have as well once it was asked to leave or its request deleted."""

    name: str
    ends: frozenset[End]
    left: frozenset[End] = frozenset()
    deleted: frozenset[End] = frozenset()
    once: Once = Once.NOTHING
    boot_s: float = 0.0
    lobby_s: float = 1.0
    leave_s: float = 1.0
    exit_code: int = 0
    slow: bool = False
    """Its end takes a minute: not for a short run."""

    def script(self, meeting_s: float) -> Script:
        """What happens to one of this kind when nobody interferes; who waits for an accident stays for it."""
        return Script(
            boot_s=self.boot_s,
            lobby_s=self.lobby_s,
            meeting_s=FOR_EVER_S if self.once else meeting_s,
            leave_s=self.leave_s,
            exit_code=self.exit_code,
        )


def _ends(status: str, *reasons: str) -> frozenset[End]:
    return frozenset((status, reason) for reason in reasons)


LEFT = _ends("completed", "left")
# Only a bot that was in its meeting completes it: one that leaves before fails it, with the same reason.
STOPPED = _ends("completed", "stopped", "stopped_before_start") | _ends("failed", "stopped")
DELETED = _ends("completed", "request_deleted", "left", "stopped_before_start") | _ends(
    "failed", "request_deleted", "left", "stopped"
)
# The end of a process that was killed because it did not go when it was told to.
SHOT_LEAVING = _ends("failed", "leave_ignored", "exit_code_137")
SHOT_DELETED = _ends("failed", "request_deleted", "exit_code_137")

# The end of one that had said that it leaves and was frozen before it had left.
FROZEN_LEAVING = _ends("failed", "never_exited")

WELL = Kind(name="well", ends=LEFT, left=STOPPED, deleted=DELETED)

BAD = (
    Kind(
        name="exits-with-3",
        ends=_ends("failed", "exit_code_3"),
        left=STOPPED,
        deleted=_ends("completed", "stopped_before_start"),
        exit_code=3,
    ),
    Kind(
        name="killed",
        ends=_ends("failed", "exit_code_137"),
        left=STOPPED | SHOT_LEAVING,
        deleted=DELETED | SHOT_DELETED,
        once=Once.KILLED,
    ),
    Kind(
        name="silent",
        ends=_ends("failed", "heartbeat_lost"),
        left=STOPPED | SHOT_LEAVING | FROZEN_LEAVING,
        deleted=DELETED | SHOT_DELETED | FROZEN_LEAVING,
        once=Once.FROZEN,
    ),
    Kind(
        name="slow-leaver",
        ends=_ends("failed", "never_exited"),
        left=SHOT_LEAVING | _ends("completed", "stopped_before_start"),
        deleted=SHOT_DELETED | _ends("completed", "stopped_before_start"),
        leave_s=FOR_EVER_S,
    ),
    Kind(
        name="never starts",
        ends=_ends("failed", "never_started"),
        left=STOPPED | SHOT_LEAVING,
        deleted=DELETED | SHOT_DELETED,
        boot_s=FOR_EVER_S,
    ),
    Kind(
        name="zombie",
        ends=_ends("failed", "never_joined"),
        left=STOPPED,
        deleted=DELETED,
        lobby_s=FOR_EVER_S,
        slow=True,
    ),
)
