"""A meeting that another program ended or deleted in the database: Usher's side follows, and its Job is deleted."""

from usher_operator.reconcile.sweep import Sweep

MODE = "external_end"


async def repair(sweep: Sweep) -> None:
    """End Usher's rows of those meetings."""
    await sweep.acts.closer.follow(mode=MODE, api=sweep.api)
