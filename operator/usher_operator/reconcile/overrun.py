"""A bot that runs for longer than its maximum duration: it is asked to leave, and `deaf_bot` sees to the rest."""

from usher_models.db import desires
from usher_models.states import Reason
from usher_operator.reconcile.context import Sweep
from usher_operator.telemetry import REPAIRS


async def repair(sweep: Sweep) -> None:
    """Ask every bot that is overdue to leave. The Job's own deadline stands behind this."""
    async with sweep.database.reading() as connection:
        bots = await desires.overdue_bots(connection)
    asked = await sweep.commander.leave(bots, reason=Reason.MAX_DURATION)
    REPAIRS.labels(mode="overrun").inc(asked)
