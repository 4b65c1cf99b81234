"""SIGKILL, as the plan says, and a new process at once; one that is still starting is killed all the same."""

import asyncio
import signal
import time
from dataclasses import dataclass

from tests.load.plane import UsherProcess


@dataclass
class Killer:
    """Kills one process over and over, and counts. `fell` is how often it had ended by itself."""

    process: UsherProcess
    kills: int = 0
    fell: int = 0

    async def kill(self, moments: tuple[float, ...], *, began: float) -> None:
        """Go through the moments of a plan; afterwards wait until it is ready."""
        for at_s in moments:
            await asyncio.sleep(max(0.0, began + at_s - time.monotonic()))
            if self.process.process is not None and self.process.process.returncode is not None:
                self.fell += 1
            await self.process.stop(signal.SIGKILL)
            self.kills += 1
            await self.process.spawn()
        await self.process.ready()
