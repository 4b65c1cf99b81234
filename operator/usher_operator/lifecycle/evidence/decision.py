"""By which rule a meeting was failed, told from its last transition: who wrote it, and for which reason."""

from dataclasses import dataclass

from usher_models.db.bots import Bot, Transition
from usher_models.db.stale_rules import LOBBY_MARGIN_S, RULES, Rule
from usher_models.states import Reason, Source
from usher_operator.settings import ENV_PREFIX, SilenceSettings


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A rule, and what it says. `setting` and `limit_s` are those of a deadline."""

    rule: str
    text: str
    setting: str | None = None
    limit_s: float | None = None


_MISSING_JOB = frozenset({Reason.JOB_MISSING, Reason.JOB_SUSPENDED, Reason.REQUEST_DELETED, Reason.LEAVE_IGNORED})
_TEXTS = {
    Source.BOT: ("exited", "The bot reported its own exit; the row and Kubernetes say who wanted it."),
    Source.API: ("reservation", "The REST API ended the reservation before there was a Job."),
    Source.OPERATOR: ("reservation", "The operator ended the reservation before there was a bot."),
    Source.EXTERNAL: ("external_end", "Another program ended or deleted the meeting in the database."),
    Source.ADOPTION: ("shown_end", "The BotRequest shows an end that the database had lost."),
}
_SINCE = {
    Reason.NEVER_STARTED: "its Job was created",
    Reason.NEVER_JOINED: "it started",
    Reason.HEARTBEAT_LOST: "its last heartbeat",
    Reason.NEVER_EXITED: "it said that it was leaving",
}


def decision_on(bot: Bot, last: Transition | None, settings: SilenceSettings) -> Decision | None:
    """How the end was decided; None if it is not on record."""
    if last is None:
        return None
    stale = next((rule for rule in RULES if rule.reason == last.reason), None)
    if last.source == Source.RECONCILER and stale is not None:
        return _of_rule(bot, stale, settings)
    if last.source == Source.EVIDENCE:
        return _of_evidence(last.reason)
    known = {str(source): text for source, text in _TEXTS.items()}.get(last.source)
    return Decision(rule=known[0], text=known[1]) if known else None


def _of_rule(bot: Bot, rule: Rule, settings: SilenceSettings) -> Decision:
    limit_s = float(getattr(settings, rule.setting))
    if rule.reason is Reason.NEVER_JOINED:
        limit_s = max(limit_s, bot.lobby_timeout_s + LOBBY_MARGIN_S)
    return Decision(
        rule=rule.reason,
        text=(
            f"A bot that is {rule.status} is failed {limit_s:g} s after {_SINCE[rule.reason]};"
            " time in which Usher could not be reached does not count."
        ),
        setting=f"{ENV_PREFIX}{rule.setting.upper()}",
        limit_s=limit_s,
    )


def _of_evidence(reason: str) -> Decision:
    if reason == Reason.IMAGE_PULL_FAILED:
        return Decision(rule="unpullable_image", text="The kubelet said that the image can never be pulled.")
    if reason in _MISSING_JOB:
        return Decision(
            rule="missing_job", text="For longer than a sweep the bot had neither a Job nor a pod that runs."
        )
    return Decision(rule="finished_job", text="The bot's Job or container had ended, and no report had come.")
