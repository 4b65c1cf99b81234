"""What a driver is: the part that is in the meeting.

A driver is made with the process, before anything is known to the control plane, and must not act yet. The
lifecycle then calls `join` once, and `run` once after `join` returned. `leave` is called exactly once at the end of
every run, whatever happened before: while `join` or `run` still wait, after they returned or raised, or before
`join` was ever called. When it returns, or its time is up, the rest is cancelled and the process ends.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from usher_bot.exit_codes import Outcome
from usher_models.states import Stage
from usher_models.wire import Command

ReportStage = Callable[[Stage], None]


class NotJoined(Exception):
    """Joining ended without being in the meeting, in the way `outcome` says."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.sentence)
        self.outcome = outcome


@dataclass
class Faults:
    """Deliberate misbehaviour, for tests of everything around the bot. Only the simulated driver sets a flag."""

    sends_no_heartbeats: bool = False
    """Heartbeats stop."""
    ignores_leave: bool = False
    """Neither commands nor signals, limits or dismissals end the bot."""


class Driver(Protocol):
    """Brings one bot into one meeting and out again. Whatever it raises ends the bot with `driver_error`."""

    @property
    def participants(self) -> int | None:
        """How many others are in the meeting, as far as it is known."""
        ...

    @property
    def is_alive(self) -> bool:
        """True if a heartbeat would be true: what is in the meeting has lately shown that it works."""
        ...

    async def join(self, report_stage: ReportStage) -> None:
        """Return once the bot is in the meeting; report `joining` and `lobby` on the way. Raises NotJoined."""
        ...

    async def run(self) -> Outcome:
        """Stay until the meeting ends for the bot, and say how it ended."""
        ...

    async def leave(self) -> None:
        """Get out, from wherever the bot is. Harmless when it is out already."""
        ...

    async def reconfigure(self, command: Command) -> None:
        """Return once the new configuration is in effect; raise when it cannot be, and it comes again."""
        ...


@runtime_checkable
class Explains(Protocol):
    """A driver that can say what it waits for."""

    def explain(self) -> str | None:
        """What it waits for, if that takes long, as a sentence without secrets; None otherwise."""
        ...
