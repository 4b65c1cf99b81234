"""Applying one stale rule: find candidates, read their pods' last words, end those that are still stale."""

from usher_models.db import staleness
from usher_models.db.meetings import Bot
from usher_models.db.staleness import Rule
from usher_models.db.transitions import Closing, Moved
from usher_models.states import Source, Status, sentence
from usher_operator.reconcile.context import Sweep
from usher_operator.reconcile.evidence import waiting_reason


async def apply(sweep: Sweep, rule: Rule, *, limit_s: float) -> list[Moved]:
    """End every bot that meets `rule`. Raises DatabaseUnavailable."""
    async with sweep.database.transaction() as connection:
        bots = await staleness.stale_bots(connection, rule, limit_s=limit_s, credit_s=sweep.silence_credit_s)
    guard, values = staleness.guard(rule, limit_s=limit_s, credit_s=sweep.silence_credit_s)
    return await sweep.closer.close(
        [await _closing(sweep, bot, rule) for bot in bots],
        mode=rule.reason,
        target=Status.FAILED,
        source=Source.RECONCILER,
        guard=guard,
        guard_values=values,
    )


async def _closing(sweep: Sweep, bot: Bot, rule: Rule) -> Closing:
    pod = sweep.pod_of(bot)
    message = sentence(rule.reason)
    cause = waiting_reason(pod)
    if cause:
        message = f"{message.removesuffix('.')}: {cause}."
    return Closing(
        meeting_id=bot.meeting_id, reason=rule.reason, message=message, detail=await sweep.closer.last_words(bot, pod)
    )
