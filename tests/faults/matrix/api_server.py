"""The API server: the way to it. The server itself is every ground's, the kubelet's, the people's and the checkers'.

So what is away for seconds or minutes is the way only, and the restart is a real one of the one server, for everybody:
the kubelet and people try again, as in life.
"""

import asyncio
from dataclasses import dataclass

from dev.cluster import bare
from tests.faults.matrix.outage import WAYS, Fault, both, turn
from tests.faults.rig.ground import Ground
from tests.faults.rig.proxy import Way


@dataclass(frozen=True)
class ApiServer:
    """The API server as one ground's Usher reaches it."""

    ground: Ground

    async def begin(self, fault: Fault) -> None:
        """See Breakable."""
        if fault is Fault.RESTART:
            await asyncio.to_thread(bare.kill, bare.load(), "apiserver")
        else:
            await turn(both(self.ground, "api_server"), WAYS.get(fault, Way.REFUSED))

    async def end(self, fault: Fault) -> None:
        """See Breakable."""
        if fault is Fault.RESTART:
            await asyncio.to_thread(bare.start, bare.load(), "apiserver")
        else:
            await turn(both(self.ground, "api_server"), Way.OPEN)
