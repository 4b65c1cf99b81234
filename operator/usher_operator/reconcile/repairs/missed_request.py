"""A BotRequest that the watch missed, or whose handling was cut off between two of its steps: ensure it again."""

import logging
from functools import partial

from usher_models.db import bots
from usher_models.db.bots import BotSummary, Requested
from usher_models.errors import UsherError
from usher_models.states import Desired
from usher_operator.kube.botrequest import BotRequest
from usher_operator.reconcile.each import each
from usher_operator.reconcile.sweep import Sweep
from usher_operator.telemetry import REPAIRS

logger = logging.getLogger(__name__)

MODE = "missed_request"

AT_ONCE = 1000


async def repair(sweep: Sweep) -> None:
    """Ensure every request that has no row, no Job yet, or a spec that its row has not taken over.

    Those that the watch has in flight are left to it.
    """
    live = {bot.connection_id: bot for bot in sweep.live}
    behind: list[BotRequest] = []
    rowless: list[BotRequest] = []
    for request in sweep.snapshot.requests:
        bot = live.get(request.connection_id)
        if bot is not None and _behind(bot, request):
            behind.append(request)
        elif bot is None and not request.over:
            rowless.append(request)
    waiting = [request for request in behind + await _not_over(sweep, rowless) if request not in sweep.in_flight]
    await each(waiting, partial(_ensure, sweep), mode=MODE)


async def _not_over(sweep: Sweep, requests: list[BotRequest]) -> list[BotRequest]:
    """Those without an ended row of their own. If statuses are written late these are few among thousands."""
    found: list[BotRequest] = []
    for at in range(0, len(requests), AT_ONCE):
        some = requests[at : at + AT_ONCE]
        async with sweep.database.reading() as connection:
            known = await bots.requests_of(connection, [request.connection_id for request in some])
        found += [request for request in some if not _has_row(request, known.get(request.connection_id))]
    return found


def _has_row(request: BotRequest, row: Requested | None) -> bool:
    return row is not None and row.uid == request.uid


def _behind(bot: BotSummary, request: BotRequest) -> bool:
    return (
        bot.job_created_at is None
        or bot.request_generation < request.generation
        or (request.wants_leave and bot.desired is Desired.RUN)
    )


async def _ensure(sweep: Sweep, request: BotRequest) -> None:
    try:
        await sweep.acts.ensurer.ensure(request)
        REPAIRS.labels(mode=MODE).inc()
    except UsherError as exc:
        logger.warning(
            "A request is ensured later: %s", exc, extra={"action": "ensure_postponed", **request.log_fields()}
        )
    except Exception:
        # One request that breaks must not keep those behind it in the list waiting.
        logger.exception("A request could not be ensured.", extra={"action": "ensure_failed", **request.log_fields()})
