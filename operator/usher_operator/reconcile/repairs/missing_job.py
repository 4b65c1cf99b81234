"""A live row whose Job is gone, and its pod too: deleted by a person, or collected with its BotRequest."""

from usher_models.db.bots import Bot
from usher_models.db.transitions import Closing
from usher_models.states import Desired, Reason, Source, Status
from usher_operator.reconcile.sweep import Sweep

MODE = "missing_job"


async def repair(sweep: Sweep) -> None:
    """Fail what has been without Job and pod for longer than one interval: nothing runs that could still report.

    The pod outlives its Job until it has reported or its grace is over, so a bot that can speak has spoken.
    """
    if sweep.snapshot is None:
        return
    missing = {
        bot.meeting_id: bot
        for bot in sweep.live
        if bot.job_created_at is not None and sweep.job_of(bot) is None and sweep.pod_of(bot) is None
    }
    outlasted = sweep.patience.outlasted(set(missing), mode=MODE, grace_s=sweep.settings.reconcile_interval_s)
    closings = []
    for bot in (missing[meeting_id] for meeting_id in missing if meeting_id in outlasted):
        if bot.status is Status.RESERVED and bot.desired is Desired.LEAVE:
            await sweep.closer.end_unstarted(bot, message="The bot was asked to leave before it started.")
        else:
            closings.append(Closing(meeting_id=bot.meeting_id, reason=_reason(sweep, bot)))
    await sweep.closer.close(closings, mode=MODE, target=Status.FAILED, source=Source.EVIDENCE)


def _reason(sweep: Sweep, bot: Bot) -> Reason:
    assert sweep.snapshot is not None  # noqa: S101 - judged only with a snapshot
    if bot.request_uid and bot.request_uid not in sweep.snapshot.request_uids:
        return Reason.REQUEST_DELETED
    return Reason.LEAVE_IGNORED if bot.desired is Desired.LEAVE else Reason.JOB_MISSING
