"""A Job of ours whose row the database has lost, by a failover or a restore: the row is put back, the bot stays."""

import logging
from collections.abc import Iterator

from usher_models.db import adoptions, bots
from usher_models.errors import Unavailable
from usher_operator.kube.botrequest import BotRequest
from usher_operator.kube.job_status import connection_id_of, installation_of, is_of, meeting_id_of
from usher_operator.kube.port import Json
from usher_operator.reconcile.sweep import Sweep
from usher_operator.telemetry import REPAIRS

logger = logging.getLogger(__name__)

MODE = "lost_row"
# People may write labels and statuses. An id beyond this is not believed: it would leave no ids for new meetings.
MOST_ID = 2_000_000_000


async def repair(sweep: Sweep) -> None:
    """Adopt every bot that has a Job and a BotRequest and no row, and let no new meeting get an id that is in use."""
    await _keep_ids(sweep)
    candidates = {request.connection_id: (request, job) for request, job in _without_live_row(sweep)}
    if not candidates:
        return
    async with sweep.database.reading() as connection:
        known = await bots.requests_of(connection, list(candidates))
    for connection_id, (request, job) in candidates.items():
        if connection_id not in known:
            await _adopt(sweep, request, job)


async def _adopt(sweep: Sweep, request: BotRequest, job: Json) -> None:
    try:
        adopted = await sweep.acts.ensurer.adopter.adopt(request, job)
        REPAIRS.labels(mode=MODE).inc(adopted is not None)
    except Unavailable:
        raise
    except Exception:
        # One bot that cannot be adopted must not keep the others, nor the rest of the sweep, waiting.
        logger.exception("A bot could not be adopted.", extra={"action": "adoption_failed", **request.log_fields()})


async def _keep_ids(sweep: Sweep) -> None:
    shown = [meeting_id_of(job) or 0 for job in sweep.snapshot.jobs.values() if _is_ours(sweep, job)]
    shown += [request.meeting_id or 0 for request in sweep.snapshot.requests]
    believed = max((each for each in shown if each <= MOST_ID), default=0)
    async with sweep.database.at_once() as connection:
        skipped = await adoptions.raise_ids(connection, highest=believed)
    if skipped:
        logger.warning(
            "The database had gone back: %d ids of meetings that exist are skipped.",
            skipped,
            extra={"action": "ids_raised", "skipped": skipped},
        )


def _without_live_row(sweep: Sweep) -> Iterator[tuple[BotRequest, Json]]:
    live = {bot.connection_id for bot in sweep.live}
    requests = {request.connection_id: request for request in sweep.snapshot.requests}
    for job in sweep.snapshot.jobs.values():
        request = requests.get(connection_id_of(job) or "")
        if request is None or request.connection_id in live or request.deleting or request.over:
            continue
        if _is_ours(sweep, job) and is_of(job, request) and "deletionTimestamp" not in job["metadata"]:
            yield request, job


def _is_ours(sweep: Sweep, job: Json) -> bool:
    return installation_of(job) == sweep.picture.installation
