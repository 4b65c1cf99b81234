"""Names: the resolver of `serve` and `operate` (`harness.names`) does not answer, and no connection outlives that.

An open connection needs no name, so each is cut when the fault begins: what follows must be found anew.
"""

import asyncio
from dataclasses import dataclass

from tests.faults.harness.installation import Installation
from tests.faults.harness.names import Resolver
from tests.faults.harness.proxy import Way
from tests.faults.matrix.outage import WAYS, Fault


@dataclass(frozen=True)
class Names:
    """The names of an installation."""

    installation: Installation
    resolver: Resolver

    async def begin(self, fault: Fault) -> None:
        """See Breakable."""
        await self.resolver.turn(WAYS.get(fault, Way.REFUSED))
        proxies = [proxy for ways in self.installation.ways.values() for proxy in ways.all]
        await asyncio.gather(*(proxy.cut() for proxy in proxies))

    async def end(self, fault: Fault) -> None:
        """See Breakable."""
        await self.resolver.turn(Way.OPEN)
