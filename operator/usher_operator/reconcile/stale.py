"""Applying one stale rule: find candidates, read their pods' last words, end those that are still stale."""

from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db import staleness
from usher_models.db.meetings import Bot
from usher_models.db.staleness import Rule
from usher_models.db.transitions import Closing, Moved
from usher_models.states import Source, Status, sentence
from usher_operator.reconcile.context import Sweep
from usher_operator.reconcile.evidence import waiting_reason
from usher_operator.settings import Settings


async def apply(sweep: Sweep, rule: Rule, *, limit_s: float) -> list[Moved]:
    """End every bot that meets `rule`. Raises DatabaseUnavailable."""
    if not sweep.may_judge_silence:
        return []
    credit_s = sweep.settings.outage_credit_s
    async with sweep.database.transaction() as connection:
        bots = await staleness.stale_bots(connection, rule, limit_s=limit_s, max_credit_s=credit_s)
    guard, values = staleness.guard(rule, limit_s=limit_s, max_credit_s=credit_s)
    return await sweep.closer.close(
        [await _closing(sweep, bot, rule) for bot in bots[: sweep.settings.reaps_per_sweep]],
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


async def count(connection: AsyncConnection, settings: Settings) -> int:
    """How many bots are beyond their limits now, credit included."""
    limits = {
        staleness.NEVER_STARTED: settings.reserved_timeout_s,
        staleness.NEVER_JOINED: settings.starting_timeout_s,
        staleness.HEARTBEAT_LOST: settings.heartbeat_timeout_s,
        staleness.NEVER_EXITED: settings.stopping_timeout_s,
    }
    return sum(
        [
            len(await staleness.stale_bots(connection, rule, limit_s=limit_s, max_credit_s=settings.outage_credit_s))
            for rule, limit_s in limits.items()
        ]
    )
