"""A bot that runs and does not get into its meeting, past its own lobby budget."""

from usher_models.db.staleness import NEVER_JOINED
from usher_operator.reconcile import stale
from usher_operator.reconcile.context import Sweep


async def repair(sweep: Sweep) -> None:
    """End what is stale; beyond the rule's limit in the settings."""
    await stale.apply(sweep, NEVER_JOINED, limit_s=sweep.settings.starting_timeout_s)
