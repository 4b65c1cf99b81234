"""A bot in a meeting that went silent: hung, cut off, or on a node that died."""

from usher_models.db.staleness import HEARTBEAT_LOST
from usher_operator.reconcile import stale
from usher_operator.reconcile.context import Sweep


async def repair(sweep: Sweep) -> None:
    """End what is stale; beyond the rule's limit in the settings."""
    await stale.apply(sweep, HEARTBEAT_LOST, limit_s=sweep.settings.heartbeat_timeout_s)
