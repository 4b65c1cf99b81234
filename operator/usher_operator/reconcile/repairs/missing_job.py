"""A live row whose Job is gone, and its pod too: deleted by a person, or collected with its BotRequest."""

from usher_models.db.bots import BotSummary
from usher_models.db.transitions import Closing
from usher_models.states import Desired, Reason, Source, Status
from usher_operator.reconcile.sweep import Sweep

MODE = "missing_job"


async def repair(sweep: Sweep) -> None:
    """Fail meetings that had neither Job nor pod for longer than one interval: nothing runs that could still report.

    The pod outlives its Job until its bot has reported or its grace is over.
    """
    missing = {
        bot.meeting_id: bot
        for bot in sweep.known()
        if bot.job_created_at is not None and (sweep.runs_nothing(bot) or _is_suspended(sweep, bot))
    }
    overdue = sweep.memory.grace.over(set(missing), mode=MODE, grace_s=sweep.settings.reconcile_interval_s)
    closings = []
    for bot in (missing[meeting_id] for meeting_id in missing if meeting_id in overdue):
        if bot.status is Status.RESERVED and bot.desired is Desired.LEAVE:
            await sweep.acts.closer.ends.unstarted(bot, message="The bot was asked to leave before it started.")
        else:
            closings.append(Closing(meeting_id=bot.meeting_id, reason=_reason(sweep, bot)))
    await sweep.acts.closer.close(closings, mode=MODE, target=Status.FAILED, source=Source.EVIDENCE, api=sweep.api)


def _is_suspended(sweep: Sweep, bot: BotSummary) -> bool:
    """True if the Job of a bot that had started was suspended, which deletes its pod."""
    if bot.status is Status.RESERVED or sweep.pod_of(bot) is not None:
        return False
    conditions = ((sweep.job_of(bot) or {}).get("status") or {}).get("conditions") or []
    return any(each.get("type") == "Suspended" and each.get("status") == "True" for each in conditions)


def _reason(sweep: Sweep, bot: BotSummary) -> Reason:
    if sweep.job_of(bot) is not None:
        return Reason.JOB_SUSPENDED
    if bot.request_uid and bot.request_uid not in sweep.snapshot.request_uids:
        return Reason.REQUEST_DELETED
    return Reason.LEAVE_IGNORED if bot.desired is Desired.LEAVE else Reason.JOB_MISSING
