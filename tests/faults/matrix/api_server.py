"""The API server: the way to it. The server itself is shared by installations, kubelet, clients and checkers.

So what is away for seconds or minutes is the way only, and the restart is a real one of the one server, for everybody:
the kubelet and people try again, as in life.
"""

import asyncio
from dataclasses import dataclass

from dev.cluster import bare
from tests.faults.harness.installation import Installation
from tests.faults.harness.proxy import Way
from tests.faults.matrix.outage import WAYS, Fault, both, turn


@dataclass(frozen=True)
class ApiServer:
    """The API server as one installation's Usher reaches it."""

    installation: Installation

    async def begin(self, fault: Fault) -> None:
        """See Breakable."""
        if fault is Fault.RESTART:
            await asyncio.to_thread(bare.kill, bare.load(), "apiserver")
        else:
            await turn(both(self.installation, "api_server"), WAYS.get(fault, Way.REFUSED))

    async def end(self, fault: Fault) -> None:
        """See Breakable."""
        if fault is Fault.RESTART:
            await asyncio.to_thread(bare.start, bare.load(), "apiserver")
        else:
            await turn(both(self.installation, "api_server"), Way.OPEN)
