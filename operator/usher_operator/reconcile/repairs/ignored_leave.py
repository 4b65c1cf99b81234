"""A bot that was asked to leave and still reports: its Job is deleted, which sends SIGTERM, then SIGKILL.

A bot that does not report may have left and be unable to say so. Its Job stays: to kill it would be to say of a bot
that obeyed that it did not.
"""

import logging

from usher_models.db import desired_state
from usher_operator.kube.port import Json
from usher_operator.reconcile.sweep import Sweep
from usher_operator.telemetry import REPAIRS

logger = logging.getLogger(__name__)


async def repair(sweep: Sweep) -> None:
    """Delete the Jobs of those bots. Their rows stay live: each may still report its exit."""
    async with sweep.database.reading() as connection:
        bots = await desired_state.bots_ignoring_leave(connection, grace_s=sweep.settings.leave_grace_s)
    ignoring = [bot for bot in bots if _runs(sweep.job_of(bot))]
    for bot in ignoring:
        logger.warning(
            "The bot does not leave; deleting its Job.", extra={"action": "ignored_leave", "meeting_id": bot.meeting_id}
        )
    REPAIRS.labels(mode="ignored_leave").inc(len(ignoring))
    await sweep.acts.closer.evidence.remember(ignoring)
    await sweep.acts.closer.delete_jobs([(bot.request_namespace or "", bot.job_name) for bot in ignoring], sweep.api)


def _runs(job: Json | None) -> bool:
    return job is not None and "deletionTimestamp" not in job["metadata"]
