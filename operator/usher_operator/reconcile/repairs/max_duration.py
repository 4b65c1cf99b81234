"""A bot that runs for longer than its maximum duration: it is asked to leave, and `ignored_leave` does the rest."""

from usher_models.db import desired_state
from usher_models.states import Reason
from usher_operator.reconcile.sweep import Sweep
from usher_operator.telemetry import REPAIRS


async def repair(sweep: Sweep) -> None:
    """Ask every bot that is overdue to leave. The Job's own deadline is the last resort."""
    async with sweep.database.reading() as connection:
        bots = await desired_state.overdue_bots(connection)
    asked = await sweep.acts.commander.leave(bots, reason=Reason.MAX_DURATION)
    REPAIRS.labels(mode="max_duration").inc(asked)
