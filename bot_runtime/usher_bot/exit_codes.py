"""How a bot can end: the exit code, the reason for machines and the sentence for people.

An `Outcome` is made once, where the end is decided, and travels unchanged to the last callback, the termination log
and the process's exit code.
"""

from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum

from usher_models.outcomes import ENDINGS
from usher_models.states import Reason, exit_code_reason
from usher_models.wire import ReasonKind


class ExitCode(IntEnum):
    """The exit codes of `usher-bot`. A bot under the exec driver ends with its own exit code."""

    DONE = 0
    FAILED = 1
    NOT_ADMITTED = 2
    UNREACHABLE = 3
    DISMISSED = 4
    CUT_OFF = 5

    @property
    def sentence(self) -> str:
        return _CODES[self]


_CODES = {
    ExitCode.DONE: "The bot did what it was asked to do and left.",
    ExitCode.FAILED: "The settings are wrong, or the bot's driver failed.",
    ExitCode.NOT_ADMITTED: "The bot was not let into the meeting.",
    ExitCode.UNREACHABLE: "The control plane never accepted that the bot started.",
    ExitCode.DISMISSED: "The control plane does not want this bot; it ended without a report.",
    ExitCode.CUT_OFF: "The bot lost the meeting's page, its browser or its connection to the meeting.",
}


class BotReason(StrEnum):
    """The reasons of the bot's own, beside Usher's."""

    MEETING_ENDED = "meeting_ended"
    EVICTED_FROM_MEETING = "evicted_from_meeting"
    ADMISSION_DENIED = "admission_denied"
    ADMISSION_TIMEOUT = "admission_timeout"
    LEFT_ALONE = "left_alone"
    NOBODY_CAME = "nobody_came"
    ONLY_BOTS_LEFT = "only_bots_left"
    MEETING_SILENT = "meeting_silent"
    MEETING_NOT_STARTED = "meeting_not_started"
    MEETING_NOT_FOUND = "meeting_not_found"
    MEETING_FULL_OR_LOCKED = "meeting_full_or_locked"
    PASSCODE_NEEDED = "passcode_needed"
    PASSCODE_WRONG = "passcode_wrong"
    SIGN_IN_NEEDED = "sign_in_needed"
    CAPTCHA_SHOWN = "captcha_shown"
    BLOCKED_BY_PLATFORM = "blocked_by_platform"
    NETWORK_LOST = "network_lost"
    PAGE_CRASHED = "page_crashed"
    PAGE_HUNG = "page_hung"
    BROWSER_CRASHED = "browser_crashed"
    BROWSER_FAILED = "browser_failed"
    UNKNOWN_PAGE = "unknown_page"
    DRIVER_ERROR = "driver_error"
    BOT_SILENT = "bot_silent"
    CONTROL_PLANE_UNREACHABLE = "control_plane_unreachable"
    DISMISSED = "dismissed"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How the bot ended. `leaves` says that the bot walks out of the meeting rather than the meeting from it."""

    exit_code: int
    reason: str
    sentence: str
    reason_kind: ReasonKind | None = None
    detail: str | None = None
    leaves: bool = False
    reported: bool = True

    @property
    def message(self) -> str:
        """The sentence with its detail, for the termination message."""
        return f"{self.sentence} {self.detail}" if self.detail else self.sentence


STOPPED = Outcome(
    exit_code=ExitCode.DONE, reason=Reason.STOPPED, sentence="The bot left because it was asked to.", leaves=True
)
MAX_DURATION = Outcome(
    exit_code=ExitCode.DONE,
    reason=Reason.MAX_DURATION,
    sentence="The bot left because the meeting reached its maximum duration.",
    leaves=True,
)


def ended(reason: BotReason, *, detail: str | None = None) -> Outcome:
    """The outcome that the table in `usher_models.outcomes` describes; `detail` must be free of secrets."""
    ending = ENDINGS[reason]
    return Outcome(
        exit_code=ending.exit_code,
        reason=reason,
        sentence=ending.sentence,
        detail=detail,
        leaves=reason in _LEAVES,
    )


_LEAVES = frozenset(
    {
        BotReason.ADMISSION_TIMEOUT,
        BotReason.LEFT_ALONE,
        BotReason.NOBODY_CAME,
        BotReason.ONLY_BOTS_LEFT,
        BotReason.MEETING_SILENT,
        BotReason.MEETING_NOT_STARTED,
    }
)
MEETING_ENDED = ended(BotReason.MEETING_ENDED)
EVICTED = ended(BotReason.EVICTED_FROM_MEETING)
ADMISSION_DENIED = ended(BotReason.ADMISSION_DENIED)
ADMISSION_TIMEOUT = ended(BotReason.ADMISSION_TIMEOUT)


def driver_error(detail: str) -> Outcome:
    """The driver failed; `detail` must be free of secrets."""
    return ended(BotReason.DRIVER_ERROR, detail=detail)


def unreachable(detail: str) -> Outcome:
    """`started` was never accepted, so nothing can be reported."""
    return Outcome(
        exit_code=ExitCode.UNREACHABLE,
        reason=BotReason.CONTROL_PLANE_UNREACHABLE,
        sentence="The control plane never accepted that the bot started.",
        detail=detail,
        reported=False,
    )


def dismissed(detail: str) -> Outcome:
    """The control plane told the bot to exit."""
    return Outcome(exit_code=ExitCode.DISMISSED, reason=BotReason.DISMISSED, sentence=detail, reported=False)


TERMINATED = Outcome(
    exit_code=ExitCode.DONE,
    reason=Reason.TERMINATED,
    sentence="The bot's process was told to terminate without a request to leave.",
    leaves=True,
)


def outside(outcome: Outcome) -> Outcome:
    """The outcome for a bot that was not in its meeting: its exit code never says that all went well. A bot that was
    asked to leave did so."""
    if outcome.exit_code != ExitCode.DONE or outcome.reason == Reason.STOPPED:
        return outcome
    reason = Reason.EXITED_SILENTLY if outcome.reason == BotReason.MEETING_ENDED else outcome.reason
    return replace(outcome, exit_code=ExitCode.NOT_ADMITTED, reason=reason)


def program_ended(
    code: int, *, reason: str | None = None, reason_kind: ReasonKind | None = None, detail: str | None = None
) -> Outcome:
    """The program under the exec driver ended; `reason` and `reason_kind` are what it said itself."""
    fallback = BotReason.MEETING_ENDED if code == 0 else exit_code_reason(code)
    return Outcome(
        exit_code=code,
        reason=reason or fallback,
        reason_kind=reason_kind,
        sentence=f"The bot's program ended with exit code {code}.",
        detail=detail,
    )


def program_silent(silence_s: float) -> Outcome:
    """The program under the exec driver sent heartbeats and stopped."""
    return Outcome(
        exit_code=ExitCode.FAILED,
        reason=BotReason.BOT_SILENT,
        sentence=f"The bot's program sent no heartbeat for {silence_s:g} s.",
    )
