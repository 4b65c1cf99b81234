"""Applying the stale rules: find candidates, read their pods' last words, fail those that are still stale."""

import logging
from datetime import UTC, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db import stale_rules
from usher_models.db.bots import StaleBot
from usher_models.db.stale_rules import RULES, Reports, Rule
from usher_models.db.transitions import Closing
from usher_models.states import Reason, Source, Status
from usher_operator.kube.evidence import kept
from usher_operator.kube.job_status import is_suspended, resumed_at
from usher_operator.kube.port import Json
from usher_operator.reconcile.silence.messages import fault_of_stale, message_of
from usher_operator.reconcile.sweep import Sweep
from usher_operator.settings import Settings
from usher_operator.telemetry import STALE_ENDS_POSTPONED

logger = logging.getLogger(__name__)


async def apply(sweep: Sweep, rule: Rule) -> None:
    """Fail every bot that meets `rule`. Raises DatabaseUnavailable and NotLeading."""
    if not sweep.picture.stale_checks:
        return
    limits = _limits(rule, sweep.settings)
    async with sweep.database.reading() as connection:
        bots = await stale_rules.stale_bots(connection, rule, **limits)
    if rule.reason is Reason.NEVER_STARTED:
        bots = [bot for bot in bots if not _could_not_start(sweep.job_of(bot), bot, limit_s=limits["limit_s"])]
    guard, values = stale_rules.guard(rule, **limits)
    moved = await sweep.acts.closer.close(
        await sweep.api.gather(*(_closing(sweep, bot, rule) for bot in _within_rate(sweep, bots, rule))),
        mode=rule.reason,
        target=Status.FAILED,
        source=Source.RECONCILER,
        api=sweep.api,
        guard=guard,
        guard_values=values,
    )
    sweep.memory.end_rate.spend(len(moved))


def _could_not_start(job: Json | None, bot: StaleBot, *, limit_s: float) -> bool:
    """True if the bot's Job is held back, or was until so lately that its time to start is not over."""
    if job is None:
        return bot.reason == Reason.JOB_SUSPENDED
    resumed = resumed_at(job)
    return is_suspended(job) or (resumed is not None and bot.found_at - resumed < timedelta(seconds=limit_s))


def _limits(rule: Rule, settings: Settings) -> dict[str, float]:
    return {"limit_s": float(getattr(settings, rule.setting)), "max_credit_s": settings.outage_credit_s}


def _within_rate(sweep: Sweep, bots: list[StaleBot], rule: Rule) -> list[StaleBot]:
    """As many as may be failed now; the others are left to the next sweeps."""
    allowed = sweep.memory.end_rate.allowed()
    if allowed < len(bots):
        STALE_ENDS_POSTPONED.inc(len(bots) - allowed)
        logger.warning(
            "%d stale bots are left to the next sweeps: at most %g are failed in a minute.",
            len(bots) - allowed,
            sweep.settings.stale_ends_per_minute,
            extra={"action": "stale_ends_postponed", "mode": rule.reason, "postponed": len(bots) - allowed},
        )
    return bots[:allowed]


async def _closing(sweep: Sweep, bot: StaleBot, rule: Rule) -> Closing:
    pod, closer = sweep.pod_of(bot), sweep.acts.closer
    detail = await closer.last_words(bot, pod, sweep.api)
    message = message_of(rule.reason, bot, pod, detail)
    if rule.reason is Reason.HEARTBEAT_LOST:
        detail["last_heartbeat_at"] = bot.reported_at.astimezone(UTC).isoformat(timespec="seconds")
        detail |= _unless_empty("log", await closer.log_tail(bot, pod, sweep.api))
    fault = fault_of_stale(rule.reason, bot, pod)
    return Closing(meeting_id=bot.meeting_id, reason=rule.reason, message=message, detail=detail, fault=fault)


def _unless_empty(name: str, value: str | None) -> dict[str, str]:
    return {name: kept(value)} if value else {}


async def stale_bots(connection: AsyncConnection, settings: Settings) -> list[StaleBot]:
    """The bots that are beyond the limit of any rule now, credit included; not those whose Jobs are held back."""
    found: list[StaleBot] = []
    for rule in RULES:
        found += await stale_rules.stale_bots(connection, rule, **_limits(rule, settings))
    return [bot for bot in found if bot.reason != Reason.JOB_SUSPENDED]


async def count_reports(connection: AsyncConnection, settings: Settings) -> Reports:
    """The bots that report; late are those that are stale, or will be unless their next heartbeat arrives."""
    after_s = settings.heartbeat_timeout_s - settings.heartbeat_interval_s
    return await stale_rules.count_reports(connection, after_s=after_s, max_credit_s=settings.outage_credit_s)
