"""What the bot says of itself in every heartbeat. One object, made with the life; only the lifecycle writes it."""

from dataclasses import dataclass
from typing import Literal

from usher_models.states import Stage, Status


@dataclass(kw_only=True)
class BotState:
    """The bot's own view; the control plane repairs the row after it when a callback was lost."""

    status: Literal[Status.STARTING, Status.ACTIVE, Status.STOPPING] = Status.STARTING
    stage: Stage = Stage.BOOTING
    applied_generation: int | None = None

    def is_newer(self, generation: int | None) -> bool:
        """Whether that generation of the configuration moves forward. Bare commands carry none and always do."""
        return generation is None or self.applied_generation is None or generation > self.applied_generation
