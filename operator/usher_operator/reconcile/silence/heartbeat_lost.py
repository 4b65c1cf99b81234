"""A bot in a meeting that went silent: hung, cut off, or on a node that died."""

from usher_models.db.stale_rules import HEARTBEAT_LOST
from usher_operator.reconcile.silence import rules
from usher_operator.reconcile.sweep import Sweep


async def repair(sweep: Sweep) -> None:
    """End what is stale; beyond the rule's limit in the settings."""
    await rules.apply(sweep, HEARTBEAT_LOST, limit_s=sweep.settings.heartbeat_timeout_s)
