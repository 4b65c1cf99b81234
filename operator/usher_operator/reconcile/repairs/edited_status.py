"""A BotRequest that shows something else than what was written: its status was edited by hand, and is written again.

A list is older than the rows it is compared with, so one difference proves nothing: it must last for an interval, and
the statement that acts leaves out what is about to be written anyway.
"""

import logging

from usher_models.db import status_writes
from usher_models.db.status_writes import ShownStatus
from usher_operator.kube.botrequest import BotRequest
from usher_operator.kube.botrequest_status import camel
from usher_operator.reconcile.sweep import Sweep
from usher_operator.telemetry import REPAIRS

logger = logging.getLogger(__name__)

MODE = "edited_status"
AT_ONCE = 1000


async def repair(sweep: Sweep) -> None:
    """Have those written again whose phase or reason is not the one of their row."""
    if sweep.snapshot is None:
        return
    live = {bot.connection_id: (str(bot.status), camel(bot.reason)) for bot in sweep.live}
    # A request without a live row is listed only if it does not show its end.
    differing = {
        _shown(request): None
        for request in sweep.snapshot.requests
        if request.phase is not None
        and not request.refused
        and live.get(request.connection_id) != (request.phase, request.reason)
    }
    grace_s = sweep.settings.reconcile_interval_s
    over = sweep.memory.grace.over(set(differing), mode=MODE, grace_s=grace_s)
    lasting = [shown for shown in differing if shown in over]
    for at in range(0, len(lasting), AT_ONCE):
        await _rewrite(sweep, lasting[at : at + AT_ONCE])


def _shown(request: BotRequest) -> ShownStatus:
    return ShownStatus(
        connection_id=request.connection_id, uid=request.uid, phase=str(request.phase), reason=str(request.reason)
    )


async def _rewrite(sweep: Sweep, shown: list[ShownStatus]) -> None:
    async with sweep.database.at_once() as connection:
        edited = await status_writes.rewrite_edited(connection, shown)
    for meeting_id in edited:
        REPAIRS.labels(mode=MODE).inc()
        logger.warning(
            "The status of a BotRequest was edited; it is written again.",
            extra={"action": MODE, "meeting_id": meeting_id},
        )
