"""The operator. Nobody calls it, so what is broken is its own: what it reaches, or its process.

Refused: it reaches nothing. Half-open: it is stopped (SIGSTOP), so that whatever is sent to it is taken and nothing
comes of it. Slow: everything answers it two seconds late. Restarted and away: it is killed.
"""

import signal
from dataclasses import dataclass

from tests.faults.matrix.outage import WAYS, Fault, die, turn
from tests.faults.rig.ground import Ground
from tests.faults.rig.proxy import Way


@dataclass(frozen=True)
class Operator:
    """`operate` of a ground."""

    ground: Ground

    async def begin(self, fault: Fault) -> None:
        """See Breakable."""
        operate = self.ground.operate
        if fault is Fault.HALF_OPEN and operate.process is not None:
            operate.process.send_signal(signal.SIGSTOP)
        elif fault in WAYS:
            await turn(self.ground.ways["operate"].all, WAYS[fault])
        else:
            await die(operate)

    async def end(self, fault: Fault) -> None:
        """See Breakable."""
        operate = self.ground.operate
        if fault is Fault.HALF_OPEN and operate.process is not None:
            operate.process.send_signal(signal.SIGCONT)
        elif fault in WAYS:
            await turn(self.ground.ways["operate"].all, Way.OPEN)
        else:
            await operate.start()
