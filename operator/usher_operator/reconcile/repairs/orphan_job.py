"""A Job that runs without a live row: its meeting was failed while the API server was away."""

import logging

from usher_models.db import bots
from usher_models.db.bots import Requested
from usher_operator.kube.job_status import connection_id_of, finished, installation_of
from usher_operator.kube.port import Json
from usher_operator.reconcile.sweep import Sweep
from usher_operator.telemetry import REPAIRS

logger = logging.getLogger(__name__)

MODE = "orphan_job"


async def repair(sweep: Sweep) -> None:
    """Delete every Job that has had no live row for longer than the grace, in which a bot may still exit by itself.

    It takes evidence: its row has ended; or this installation made it, no row knows it and its BotRequest is gone.
    """
    lives = {bot.connection_id for bot in sweep.live}
    # The rows that lived before the lists were taken need no second look; that is nearly all of them.
    others = {key: job for key, job in sweep.snapshot.jobs.items() if _runs(job) and connection_id_of(job) not in lives}
    async with sweep.database.reading() as connection:
        rows = await bots.requests_of(connection, [connection_id_of(job) or "" for job in others.values()])
    orphans = {key for key, job in others.items() if _is_orphan(sweep, job, rows.get(connection_id_of(job) or ""))}
    overdue = sweep.memory.grace.over(orphans, mode=MODE, grace_s=sweep.settings.orphan_grace_s)
    for _, name in overdue:
        logger.warning("Deleting a Job without a live meeting.", extra={"action": MODE, "job": name})
    REPAIRS.labels(mode=MODE).inc(len(overdue))
    await sweep.acts.closer.delete_jobs(sorted(overdue), sweep.api)


def _is_orphan(sweep: Sweep, job: Json, row: Requested | None) -> bool:
    if row is not None:
        return row.ended
    owners = {owner.get("uid") for owner in job["metadata"].get("ownerReferences") or []}
    return installation_of(job) == sweep.picture.installation and not owners & sweep.snapshot.request_uids


def _runs(job: Json) -> bool:
    return not finished(job) and "deletionTimestamp" not in job["metadata"]
