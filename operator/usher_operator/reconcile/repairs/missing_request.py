"""A row that the REST API reserved while the API server was away: create its BotRequest.

Such a row knows the name its BotRequest will have, and has none noted yet. Creating one that exists is harmless.
"""

import logging
from functools import partial

from usher_models.db.bots import Bot, BotSummary, bots_by_id
from usher_models.errors import KubernetesUnavailable
from usher_models.states import Desired, Status
from usher_operator.reconcile.each import each
from usher_operator.reconcile.sweep import Sweep
from usher_operator.telemetry import REPAIRS

logger = logging.getLogger(__name__)

MODE = "missing_request"


async def repair(sweep: Sweep) -> None:
    """Create what is missing, or end what is not wanted any more. `never_started` ends what cannot be created."""
    seen = {(request.namespace, request.name) for request in sweep.snapshot.requests}
    missing = {bot.meeting_id: bot for bot in sweep.known() if _waits(bot) and _name(bot) not in seen}
    overdue = sweep.memory.grace.over(set(missing), mode=MODE, grace_s=sweep.settings.reconcile_interval_s)
    async with sweep.database.reading() as connection:
        bots = await bots_by_id(connection, sorted(overdue))
    await each(list(bots.values()), partial(_settle, sweep), mode=MODE)


def _waits(bot: BotSummary) -> bool:
    return bot.request_uid is None and bot.request_name is not None and bot.status is Status.RESERVED


def _name(bot: BotSummary) -> tuple[str | None, str | None]:
    return bot.request_namespace, bot.request_name


async def _settle(sweep: Sweep, bot: Bot) -> None:
    if bot.desired is Desired.LEAVE:
        await sweep.acts.closer.ends.unstarted(bot, message="The bot was asked to leave before it was requested.")
        return
    try:
        if await sweep.acts.request_creator.request(bot):
            REPAIRS.labels(mode=MODE).inc()
            logger.info(
                "Created the BotRequest of a row.", extra={"action": "request_created", "meeting_id": bot.meeting_id}
            )
    except KubernetesUnavailable as exc:
        logger.warning(
            "A BotRequest is created later: %s",
            exc,
            extra={"action": "request_postponed", "meeting_id": bot.meeting_id},
        )
