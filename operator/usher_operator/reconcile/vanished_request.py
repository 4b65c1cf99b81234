"""A live row whose BotRequest is gone: it was deleted while Usher was not watching."""

from usher_models.db import transitions
from usher_models.db.meetings import Bot
from usher_models.states import Reason, Source, Status
from usher_operator.reconcile.context import Sweep
from usher_operator.telemetry import REPAIRS, TRANSITIONS

MODE = "vanished_request"


async def repair(sweep: Sweep) -> None:
    """Ask its bot to leave; end it at once when it never had a Job. Kubernetes collects the Job by itself."""
    if sweep.snapshot is None:
        return
    uids = sweep.snapshot.request_uids
    vanished = {bot.meeting_id: bot for bot in sweep.live if bot.request_uid and bot.request_uid not in uids}
    outlasted = sweep.patience.outlasted(set(vanished), mode=MODE, grace_s=sweep.settings.reconcile_interval_s)
    bots = [bot for meeting_id, bot in vanished.items() if meeting_id in outlasted]
    REPAIRS.labels(mode=MODE).inc(await sweep.commander.leave(bots, reason=Reason.REQUEST_DELETED))
    for bot in bots:
        await _end_unstarted(sweep, bot)


async def _end_unstarted(sweep: Sweep, bot: Bot) -> None:
    if bot.status is not Status.RESERVED or sweep.job_of(bot) is not None or sweep.pod_of(bot) is not None:
        return
    reason = Reason.STOPPED_BEFORE_START
    async with sweep.database.transaction() as connection:
        ended = await transitions.move_reserved(
            connection,
            bot.connection_id,
            target=Status.COMPLETED,
            source=Source.OPERATOR,
            reason=reason,
            message="The BotRequest was deleted before the bot started.",
        )
    if ended:
        TRANSITIONS.labels(target=Status.COMPLETED, source=Source.OPERATOR, reason=reason).inc()
