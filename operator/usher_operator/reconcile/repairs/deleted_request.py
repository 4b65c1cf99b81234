"""A live row whose BotRequest is gone: it was deleted while Usher was not watching."""

from usher_models.states import Reason, Status
from usher_operator.reconcile.sweep import Sweep
from usher_operator.telemetry import REPAIRS

MODE = "deleted_request"


async def repair(sweep: Sweep) -> None:
    """Ask its bot to leave; end it at once when it never had a Job. Kubernetes collects the Job by itself."""
    uids = sweep.snapshot.request_uids
    vanished = {bot.meeting_id: bot for bot in sweep.known() if bot.request_uid and bot.request_uid not in uids}
    overdue = sweep.memory.grace.over(set(vanished), mode=MODE, grace_s=sweep.settings.reconcile_interval_s)
    bots = [bot for meeting_id, bot in vanished.items() if meeting_id in overdue]
    REPAIRS.labels(mode=MODE).inc(await sweep.acts.commander.leave(bots, reason=Reason.REQUEST_DELETED))
    for bot in bots:
        if bot.status is Status.RESERVED and sweep.runs_nothing(bot):
            await sweep.acts.closer.ends.unstarted(bot, message="The BotRequest was deleted before the bot started.")
