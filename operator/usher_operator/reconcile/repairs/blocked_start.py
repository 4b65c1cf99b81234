"""A bot that cannot start yet: its pod waits for a node or an image, its Job is held back, or its pod is refused.

Waiting may help, so no meeting ends here. The row notes the cause as soon as it is seen, and the status writer shows it
on the BotRequest, with one Event for each.
"""

from collections.abc import Sequence

from usher_models.db.bots import BotSummary
from usher_models.db.start_progress import StartProgress, note_progress
from usher_models.states import Reason, Stage, Status
from usher_operator.kube.evidence import refusal_of_pod, start_of
from usher_operator.kube.job_status import is_suspended
from usher_operator.reconcile.sweep import Sweep
from usher_operator.telemetry import REPAIRS

MODE = "blocked_start"


async def repair(sweep: Sweep) -> None:
    """Note the stage of pods that do not run yet, and what keeps them from it."""
    bots = {bot.meeting_id: bot for bot in sweep.known() if bot.status is Status.RESERVED and bot.job_created_at}
    progress = [found for bot in bots.values() if (found := _of_pod(sweep, bot)) is not None]
    suspended = [bot for bot in bots.values() if is_suspended(sweep.job_of(bot))]
    progress += map(_held_back, suspended)
    progress += await _without_pod(sweep, [bot for bot in bots.values() if bot not in suspended])
    changed = [each for each in progress if _is_new(bots[each.meeting_id], each)]
    if not changed:
        return
    async with sweep.acts.closer.ends.fenced() as connection:
        news = await note_progress(connection, changed)
    REPAIRS.labels(mode=MODE).inc(len(news))


def _of_pod(sweep: Sweep, bot: BotSummary) -> StartProgress | None:
    start = start_of(sweep.pod_of(bot))
    if start is None:
        return None
    return StartProgress(meeting_id=bot.meeting_id, stage=start.stage, reason=start.reason, message=start.message)


def _held_back(bot: BotSummary) -> StartProgress:
    return StartProgress(
        meeting_id=bot.meeting_id,
        stage=Stage.SCHEDULING,
        reason=Reason.JOB_SUSPENDED,
        message="The bot's Job is suspended: a queue of the cluster, or a person, holds it back.",
    )


async def _without_pod(sweep: Sweep, bots: Sequence[BotSummary]) -> list[StartProgress]:
    """Those whose Jobs have had no pod for an interval, and say why."""
    missing = {bot.meeting_id: bot for bot in bots if sweep.job_of(bot) is not None and sweep.pod_of(bot) is None}
    overdue = sweep.memory.grace.over(set(missing), mode=MODE, grace_s=sweep.settings.reconcile_interval_s)
    untold = [bot for key, bot in missing.items() if key in overdue and bot.reason != Reason.POD_REFUSED]
    found = await sweep.api.gather(*(_refused(sweep, bot) for bot in untold))
    return [each for each in found if each is not None]


async def _refused(sweep: Sweep, bot: BotSummary) -> StartProgress | None:
    refusal = refusal_of_pod(await sweep.acts.closer.last_words(bot, None, sweep.api))
    if refusal is None:
        return None
    return StartProgress(
        meeting_id=bot.meeting_id,
        stage=Stage.SCHEDULING,
        reason=Reason.POD_REFUSED,
        message=f"Kubernetes refuses to create the bot's pod: {refusal}",
    )


def _is_new(bot: BotSummary, progress: StartProgress) -> bool:
    return progress.stage != bot.stage or progress.reason not in (None, bot.reason)
