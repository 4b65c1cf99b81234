"""The callback service: the way to it, and `serve` itself, which is killed."""

from dataclasses import dataclass

from tests.faults.harness.installation import Installation
from tests.faults.harness.proxy import Way
from tests.faults.matrix.outage import WAYS, Fault, die


@dataclass(frozen=True)
class Callbacks:
    """The callback service of an installation."""

    installation: Installation

    async def begin(self, fault: Fault) -> None:
        """See Breakable."""
        if fault in WAYS:
            await self.installation.callbacks.turn(WAYS[fault])
        else:
            await die(self.installation.serve)

    async def end(self, fault: Fault) -> None:
        """See Breakable."""
        if fault in WAYS:
            await self.installation.callbacks.turn(Way.OPEN)
        else:
            await self.installation.serve.start()
