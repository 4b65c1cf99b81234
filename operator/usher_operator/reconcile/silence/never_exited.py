"""A bot that said it was leaving and never reported its exit."""

from usher_models.db.stale_rules import NEVER_EXITED
from usher_operator.reconcile.silence import rules
from usher_operator.reconcile.sweep import Sweep


async def repair(sweep: Sweep) -> None:
    """End what is stale; beyond the rule's limit in the settings."""
    await rules.apply(sweep, NEVER_EXITED, limit_s=sweep.settings.stopping_timeout_s)
