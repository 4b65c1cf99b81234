"""A reservation whose bot never reported its start: an image that cannot be pulled, a pod that finds no node."""

from usher_models.db.stale_rules import NEVER_STARTED
from usher_operator.reconcile.silence import rules
from usher_operator.reconcile.sweep import Sweep


async def repair(sweep: Sweep) -> None:
    """End what is stale; beyond the rule's limit in the settings."""
    await rules.apply(sweep, NEVER_STARTED, limit_s=sweep.settings.reserved_timeout_s)
