"""A bot that said it was leaving and never reported its exit."""

from usher_models.db.staleness import NEVER_EXITED
from usher_operator.reconcile import stale
from usher_operator.reconcile.context import Sweep


async def repair(sweep: Sweep) -> None:
    """End what is stale; beyond the rule's limit in the settings."""
    await stale.apply(sweep, NEVER_EXITED, limit_s=sweep.settings.stopping_timeout_s)
