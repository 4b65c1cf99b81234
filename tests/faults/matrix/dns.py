"""Names: the resolver of `serve` and `operate` (`rig.names`) does not answer, and no connection outlives that.

An open connection needs no name, so each is cut when the fault begins: what follows must be found anew.
"""

import asyncio
from dataclasses import dataclass

from tests.faults.matrix.outage import WAYS, Fault
from tests.faults.rig.ground import Ground
from tests.faults.rig.names import Resolver
from tests.faults.rig.proxy import Way


@dataclass(frozen=True)
class Names:
    """The names of a ground."""

    ground: Ground
    resolver: Resolver

    async def begin(self, fault: Fault) -> None:
        """See Breakable."""
        await self.resolver.turn(WAYS.get(fault, Way.REFUSED))
        proxies = [proxy for ways in self.ground.ways.values() for proxy in ways.all]
        await asyncio.gather(*(proxy.cut() for proxy in proxies))

    async def end(self, fault: Fault) -> None:
        """See Breakable."""
        await self.resolver.turn(Way.OPEN)
