"""What the bot reports of itself in every heartbeat. One object per run; only the driver session writes it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from usher_models.states import Stage, Status


@dataclass(kw_only=True)
class BotState:
    """The bot's own view; the control plane repairs the row after it when a callback was lost."""

    status: Literal[Status.STARTING, Status.ACTIVE, Status.STOPPING] = Status.STARTING
    stage: Stage = Stage.BOOTING
    applied_generation: int | None = None
    explain: Callable[[], str | None] = lambda: None
    """What the bot waits for, if that takes long; a sentence without secrets."""

    def is_newer(self, generation: int | None) -> bool:
        """True if that generation of the configuration moves forward. Bare commands carry none and always do."""
        return generation is None or self.applied_generation is None or generation > self.applied_generation
