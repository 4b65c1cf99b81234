"""A reservation whose bot never reported its start: an image that cannot be pulled, a pod that finds no node."""

from usher_models.db.staleness import NEVER_STARTED
from usher_operator.reconcile import stale
from usher_operator.reconcile.context import Sweep


async def repair(sweep: Sweep) -> None:
    """End what is stale; beyond the rule's limit in the settings."""
    await stale.apply(sweep, NEVER_STARTED, limit_s=sweep.settings.reserved_timeout_s)
