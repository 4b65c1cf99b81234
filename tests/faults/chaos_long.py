"""Chaos for long: whatever Usher needs is away for three minutes, with live bots, commands and requests in flight.

The last column of the matrix of `chaos`, and like it otherwise.
"""

from tests.faults import chaos
from tests.faults.figures import Figure, Scale
from tests.faults.matrix.outage import Fault


async def run(scale: Scale) -> list[Figure]:
    """The cases that take three minutes."""
    return await chaos.matrix(scale, [Fault.AWAY_3_MIN])
