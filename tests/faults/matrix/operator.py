"""The operator. Nobody calls it, so what is broken is its own: what it reaches, or its process.

Refused: it reaches nothing. Half-open: it is stopped (SIGSTOP), so that whatever is sent to it is taken and nothing
comes of it. Slow: everything answers it two seconds late. Restarted and away: it is killed.
"""

import signal
from dataclasses import dataclass

from tests.faults.harness.installation import Installation
from tests.faults.harness.proxy import Way
from tests.faults.matrix.outage import WAYS, Fault, die, turn


@dataclass(frozen=True)
class Operator:
    """`operate` of an installation."""

    installation: Installation

    async def begin(self, fault: Fault) -> None:
        """See Breakable."""
        operate = self.installation.operate
        if fault is Fault.HALF_OPEN and operate.process is not None:
            operate.process.send_signal(signal.SIGSTOP)
        elif fault in WAYS:
            await turn(self.installation.ways["operate"].all, WAYS[fault])
        else:
            await die(operate)

    async def end(self, fault: Fault) -> None:
        """See Breakable."""
        operate = self.installation.operate
        if fault is Fault.HALF_OPEN and operate.process is not None:
            operate.process.send_signal(signal.SIGCONT)
        elif fault in WAYS:
            await turn(self.installation.ways["operate"].all, Way.OPEN)
        else:
            await operate.start()
