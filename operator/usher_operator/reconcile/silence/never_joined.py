"""A bot that runs and does not get into its meeting, past its own lobby budget."""

from usher_models.db.stale_rules import NEVER_JOINED
from usher_operator.reconcile.silence import rules
from usher_operator.reconcile.sweep import Sweep


async def repair(sweep: Sweep) -> None:
    """End what is stale; beyond the rule's limit in the settings."""
    await rules.apply(sweep, NEVER_JOINED, limit_s=sweep.settings.starting_timeout_s)
