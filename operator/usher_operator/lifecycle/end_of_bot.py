"""How a bot's end is told: a pure rule over what the bot reported, what its row wants, and what Kubernetes knows.

A reason comes from the party that can know it. A bot that got SIGTERM knows only that; why, the row knows if the bot
was asked to leave, and Kubernetes if its pod was taken away. No bot is completed that was not in its meeting.
"""

from dataclasses import dataclass

from usher_models.db.bots import BotSummary
from usher_models.states import Desired, Reason, Status, exit_code_reason

# What a bot may say of an end that it was told to make. Only the row knows whether it was asked to leave.
_ORDERED = (None, Reason.STOPPED, Reason.TERMINATED)


@dataclass(frozen=True, kw_only=True)
class End:
    """How a meeting ends."""

    target: Status
    reason: str


def needs_evidence(bot: BotSummary, *, exit_code: int, reason: str | None) -> bool:
    """True if only Kubernetes can know why a bot reports this exit: it was terminated, but not asked to leave."""
    return bot.desired is Desired.RUN and (reason == Reason.TERMINATED or (reason == Reason.STOPPED and exit_code == 0))


def end_of(bot: BotSummary, *, exit_code: int, reason: str | None, evidence: Reason | None = None) -> End:
    """The end of a bot that reports its exit. `evidence`: who terminated it, as Kubernetes shows it."""
    if needs_evidence(bot, exit_code=exit_code, reason=reason):
        if evidence is Reason.REQUEST_DELETED:  # a wish, as if operate had passed it on before the pod was told
            return _orderly(bot, evidence)
        return End(target=Status.FAILED, reason=evidence or Reason.TERMINATED)
    if reason in _ORDERED and bot.desired is Desired.LEAVE and (exit_code == 0 or reason is not None):
        return _orderly(bot, bot.leave_reason or Reason.STOPPED)
    if exit_code == 0 and reason in (None, Reason.LEFT) and bot.status is Status.STOPPING:
        # Unasked, only a bot in its meeting reports that it leaves; its `joined` was lost while serve was away.
        return End(target=Status.COMPLETED, reason=Reason.LEFT)
    if exit_code == 0:
        return _orderly(bot, reason or Reason.LEFT)
    return End(target=Status.FAILED, reason=reason or _of_code(exit_code))


def _orderly(bot: BotSummary, reason: str) -> End:
    return End(target=Status.COMPLETED if bot.joined_at else Status.FAILED, reason=reason)


def _of_code(exit_code: int) -> str:
    return exit_code_reason(exit_code) if exit_code > 0 else Reason.JOB_FAILED
