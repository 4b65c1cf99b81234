"""The callbacks of the program under the exec driver, in any dialect of Vexa's, as one small vocabulary.

The child posts to the local server, the server calls `receive`, and the driver waits for what changed.
`started` comes from older bots when their process runs and from later ones when they are in the meeting; the later
ones say `joining` first, and that tells them apart.
"""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

from usher_bot.clock import Clock
from usher_bot.drivers.exec.ends import end_kind, end_reason
from usher_models.states import REASON_PATTERN, Stage
from usher_models.wire import ReasonKind

_MEANINGS = {
    "joining": Stage.JOINING,
    "awaiting_admission": Stage.LOBBY,
    "joined": Stage.IN_MEETING,
    "active": Stage.IN_MEETING,
    "stopping": Stage.LEAVING,
}


class ChildCallbacks:
    """The state that the child's callbacks describe."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self.joined = asyncio.Event()
        self.participants: int | None = None
        self.exit_code: int | None = None
        self.reason: str | None = None
        self.reason_kind: ReasonKind | None = None
        self.detail: str | None = None
        self.last_beat_at: float | None = None
        self.on_stage: Callable[[Stage], None] = lambda _stage: None
        self.last: str | None = None
        self.last_at = clock.now()
        self._said_joining = False

    def receive(self, name: str, body: dict[str, Any]) -> None:
        """Take in one callback. `name` is the last part of its path."""
        if name in ("status", "status_change", "lifecycle"):
            name = str(body.get("status"))
        self.last, self.last_at = name, self._clock.now()
        if name == "heartbeat":
            self._receive_heartbeat(body)
        elif name in ("exited", "completed", "failed"):
            self._receive_end(body)
        elif name == "started":
            self._reach(Stage.IN_MEETING if self._said_joining else Stage.JOINING)
        elif name in _MEANINGS:
            self._said_joining = True
            self._reach(_MEANINGS[name])

    def _reach(self, stage: Stage) -> None:
        if stage is Stage.IN_MEETING:
            self.joined.set()
        elif not self.joined.is_set():
            self.on_stage(stage)

    def _receive_heartbeat(self, body: dict[str, Any]) -> None:
        self.last_beat_at = self._clock.now()
        participants = body.get("participants")
        if isinstance(participants, int) and 0 <= participants < 2**31:
            self.participants = participants

    def _receive_end(self, body: dict[str, Any]) -> None:
        code = body.get("exit_code")
        self.exit_code = code if isinstance(code, int) and 0 <= code <= 255 else None
        self.reason, self.reason_kind = end_reason(body), end_kind(body)
        said = body.get("error_details") or body.get("detail") or _sentence(body.get("reason"))
        self.detail = (said if isinstance(said, str) else json.dumps(said))[:1000] if said else None


def _sentence(reason: Any) -> Any:
    """A reason that is written for people, as the newest bots do."""
    return None if isinstance(reason, str) and re.fullmatch(REASON_PATTERN, reason) else reason
