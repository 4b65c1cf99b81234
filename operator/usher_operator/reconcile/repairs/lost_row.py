"""A Job of ours whose row the database has lost, by a failover or a restore: the row is put back, the bot stays."""

import logging

from usher_models.db import adoptions, bots
from usher_models.errors import Unavailable
from usher_operator.kube.job_status import connection_id_of
from usher_operator.lifecycle.lost_bots import LostBot, highest_ids, of_installation, without_row
from usher_operator.reconcile.sweep import Sweep
from usher_operator.telemetry import REPAIRS

logger = logging.getLogger(__name__)

MODE = "lost_row"


async def repair(sweep: Sweep) -> None:
    """Adopt every bot that has a Job and a BotRequest and no row, and let nothing new get an id that is in use."""
    await _keep_ids(sweep)
    lost = await _lost(sweep)
    adopted = [each for each in lost if each.left is None and await _adopt(sweep, each)]
    left = [each for each in lost if each not in adopted and each.runs]
    await sweep.epoch.note_adoptions(adopted=len(adopted), lost_users={each.user_id or 0 for each in left})
    await sweep.epoch.events.post([each.request for each in adopted if each.request], sweep.api)


async def _lost(sweep: Sweep) -> list[LostBot]:
    live = {bot.connection_id for bot in sweep.live}
    jobs = of_installation(sweep.snapshot.jobs.values(), sweep.picture.installation)
    requests = {request.connection_id: request for request in sweep.snapshot.requests}
    lost = list(without_row(jobs, requests, rows=live))
    if not lost:
        return []
    async with sweep.database.reading() as connection:
        known = await bots.requests_of(connection, [connection_id_of(each.job) or "" for each in lost])
    return [each for each in lost if connection_id_of(each.job) not in known]


async def _adopt(sweep: Sweep, lost: LostBot) -> bool:
    request = lost.request
    if request is None:
        return False
    try:
        adopted = await sweep.acts.ensurer.adopter.adopt(request, lost.job)
    except Unavailable:
        sweep.epoch.note_failure()
        raise
    except Exception:
        # One bot that cannot be adopted must not keep the others, nor the rest of the sweep, waiting.
        sweep.epoch.note_failure()
        logger.exception("A bot could not be adopted.", extra={"action": "adoption_failed", **request.log_fields()})
        return False
    REPAIRS.labels(mode=MODE).inc(adopted is not None)
    return adopted is not None


async def _keep_ids(sweep: Sweep) -> None:
    """Raise the sequences above every id that Kubernetes or the record of the epoch shows."""
    jobs = of_installation(sweep.snapshot.jobs.values(), sweep.picture.installation)
    meeting_id, user_id = highest_ids(jobs, sweep.snapshot.requests)
    meeting_id = max(meeting_id, sweep.picture.used_meeting_id)
    async with sweep.database.at_once() as connection:
        skipped = await adoptions.raise_ids(connection, highest=meeting_id)
        if sweep.epoch.hold.adopting:
            skipped += await adoptions.raise_user_ids(connection, highest=user_id)
    if skipped:
        logger.warning(
            "The database had gone back: %d ids that are in use are skipped.",
            skipped,
            extra={"action": "ids_raised", "skipped": skipped},
        )
