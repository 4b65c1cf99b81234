"""Applying one stale rule: find candidates, read their pods' last words, end those that are still stale."""

import logging

from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db import stale_rules
from usher_models.db.bots import Bot
from usher_models.db.stale_rules import Quiet, Rule
from usher_models.db.transitions import Closing, Moved
from usher_models.states import Source, Status, sentence
from usher_operator.kube.evidence import waiting_reason
from usher_operator.reconcile.sweep import Sweep
from usher_operator.settings import Settings
from usher_operator.telemetry import STALE_ENDS_POSTPONED

logger = logging.getLogger(__name__)


async def apply(sweep: Sweep, rule: Rule, *, limit_s: float) -> list[Moved]:
    """End every bot that meets `rule`. Raises DatabaseUnavailable."""
    if not sweep.may_judge_silence:
        return []
    credit_s = sweep.settings.outage_credit_s
    async with sweep.database.reading() as connection:
        bots = await stale_rules.stale_bots(connection, rule, limit_s=limit_s, max_credit_s=credit_s)
    guard, values = stale_rules.guard(rule, limit_s=limit_s, max_credit_s=credit_s)
    moved = await sweep.closer.close(
        [await _closing(sweep, bot, rule) for bot in _within_the_rate(sweep, bots, rule)],
        mode=rule.reason,
        target=Status.FAILED,
        source=Source.RECONCILER,
        guard=guard,
        guard_values=values,
    )
    if sweep.reap_rate is not None:
        sweep.reap_rate.spend(len(moved))
    return moved


def _within_the_rate(sweep: Sweep, bots: list[Bot], rule: Rule) -> list[Bot]:
    """As many as may be ended now; the others wait for the next sweeps."""
    allowed = len(bots) if sweep.reap_rate is None else sweep.reap_rate.allowed()
    if allowed < len(bots):
        STALE_ENDS_POSTPONED.inc(len(bots) - allowed)
        logger.warning(
            "%d silent bots are left to the next sweeps: no more than %g a minute are ended.",
            len(bots) - allowed,
            sweep.settings.stale_ends_per_minute,
            extra={"action": "stale_ends_postponed", "mode": rule.reason, "postponed": len(bots) - allowed},
        )
    return bots[:allowed]


async def _closing(sweep: Sweep, bot: Bot, rule: Rule) -> Closing:
    pod = sweep.pod_of(bot)
    message = sentence(rule.reason)
    cause = waiting_reason(pod)
    if cause:
        message = f"{message.removesuffix('.')}: {cause}."
    return Closing(
        meeting_id=bot.meeting_id, reason=rule.reason, message=message, detail=await sweep.closer.last_words(bot, pod)
    )


async def silent(connection: AsyncConnection, settings: Settings) -> list[Bot]:
    """The bots that are beyond their limits now, credit included."""
    limits = {
        stale_rules.NEVER_STARTED: settings.reserved_timeout_s,
        stale_rules.NEVER_JOINED: settings.starting_timeout_s,
        stale_rules.HEARTBEAT_LOST: settings.heartbeat_timeout_s,
        stale_rules.NEVER_EXITED: settings.stopping_timeout_s,
    }
    found: list[Bot] = []
    for rule, limit_s in limits.items():
        credit_s = settings.outage_credit_s
        found += await stale_rules.stale_bots(connection, rule, limit_s=limit_s, max_credit_s=credit_s)
    return found


async def quiet(connection: AsyncConnection, settings: Settings) -> Quiet:
    """The bots that will be beyond their limit, or are, unless their next beat comes."""
    after_s = settings.heartbeat_timeout_s - settings.heartbeat_interval_s
    return await stale_rules.quiet_bots(connection, after_s=after_s, max_credit_s=settings.outage_credit_s)
