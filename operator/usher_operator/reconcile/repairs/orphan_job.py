"""A Job that runs without a live row: its meeting was failed while the API server was away."""

import logging
from collections.abc import Iterable

from usher_models.db import bots
from usher_models.db.bots import Bot
from usher_operator.kube.job_status import connection_id_of, finished, meeting_id_of
from usher_operator.kube.port import Json
from usher_operator.reconcile.sweep import Sweep
from usher_operator.telemetry import REPAIRS

logger = logging.getLogger(__name__)

MODE = "orphan_job"

Jobs = dict[tuple[str, str], Json]


async def repair(sweep: Sweep) -> None:
    """Delete every Job that has had no live row for longer than the grace, in which a bot may still exit by itself."""
    if sweep.snapshot is None:
        return
    running = {key: job for key, job in sweep.snapshot.jobs.items() if _runs(job)}
    # The rows that lived before the lists were taken need no second look; that is nearly all of them.
    others = _without_one_of(sweep.live, running)
    ids = [meeting_id for job in others.values() if (meeting_id := meeting_id_of(job)) is not None]
    async with sweep.database.reading() as connection:
        known = await bots.bots_by_id(connection, ids)
    orphans = _without_one_of([bot for bot in known.values() if bot.live], others)
    for key in sweep.memory.grace.over(set(orphans), mode=MODE, grace_s=sweep.settings.orphan_grace_s):
        assert isinstance(key, tuple)  # noqa: S101 - the keys put in
        namespace, name = key
        logger.warning("Deleting a Job without a live meeting.", extra={"action": MODE, "job": name})
        REPAIRS.labels(mode=MODE).inc()
        await sweep.acts.closer.delete_job(namespace, name)


def _without_one_of(bots: Iterable[Bot], jobs: Jobs) -> Jobs:
    """The Jobs that none of the bots is run by."""
    run = {(bot.meeting_id, bot.connection_id) for bot in bots}
    return {key: job for key, job in jobs.items() if (meeting_id_of(job), connection_id_of(job)) not in run}


def _runs(job: dict[str, object]) -> bool:
    metadata = job["metadata"]
    return not finished(job) and isinstance(metadata, dict) and "deletionTimestamp" not in metadata
