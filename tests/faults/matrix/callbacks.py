"""The callback service: the way to it, and `serve` itself, which is killed."""

from dataclasses import dataclass

from tests.faults.matrix.outage import WAYS, Fault, die
from tests.faults.rig.ground import Ground
from tests.faults.rig.proxy import Way


@dataclass(frozen=True)
class Callbacks:
    """The callback service of a ground."""

    ground: Ground

    async def begin(self, fault: Fault) -> None:
        """See Breakable."""
        if fault in WAYS:
            await self.ground.callbacks.turn(WAYS[fault])
        else:
            await die(self.ground.serve)

    async def end(self, fault: Fault) -> None:
        """See Breakable."""
        if fault in WAYS:
            await self.ground.callbacks.turn(Way.OPEN)
        else:
            await self.ground.serve.start()
