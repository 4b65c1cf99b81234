"""How a bot can end: the exit code, the reason for machines and the sentence for people.

An `Outcome` is made once, where the end is decided, and travels unchanged to the last callback, the termination log
and the process's exit code.
"""

from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum

from usher_models.states import Reason, exit_code_reason


class ExitCode(IntEnum):
    """The exit codes of `usher-bot`. A bot under the exec driver ends with its own exit code."""

    DONE = 0
    FAILED = 1
    NOT_ADMITTED = 2
    UNREACHABLE = 3
    DISMISSED = 4

    @property
    def sentence(self) -> str:
        return _CODES[self]


_CODES = {
    ExitCode.DONE: "The bot did what it was asked to do and left.",
    ExitCode.FAILED: "The settings are wrong, or the bot's driver failed.",
    ExitCode.NOT_ADMITTED: "The bot was not let into the meeting.",
    ExitCode.UNREACHABLE: "The control plane never accepted that the bot started.",
    ExitCode.DISMISSED: "The control plane does not want this bot; it ended without a report.",
}


class BotReason(StrEnum):
    """The reasons of the bot's own, beside Usher's."""

    MEETING_ENDED = "meeting_ended"
    EVICTED_FROM_MEETING = "evicted_from_meeting"
    ADMISSION_DENIED = "admission_denied"
    ADMISSION_TIMEOUT = "admission_timeout"
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
MEETING_ENDED = Outcome(exit_code=ExitCode.DONE, reason=BotReason.MEETING_ENDED, sentence="The meeting ended.")
EVICTED = Outcome(
    exit_code=ExitCode.DONE,
    reason=BotReason.EVICTED_FROM_MEETING,
    sentence="The bot was removed from the meeting.",
)
MAX_DURATION = Outcome(
    exit_code=ExitCode.DONE,
    reason=Reason.MAX_DURATION,
    sentence="The bot left because the meeting reached its maximum duration.",
    leaves=True,
)
ADMISSION_DENIED = Outcome(
    exit_code=ExitCode.NOT_ADMITTED,
    reason=BotReason.ADMISSION_DENIED,
    sentence="The bot was refused in the lobby.",
)
ADMISSION_TIMEOUT = Outcome(
    exit_code=ExitCode.NOT_ADMITTED,
    reason=BotReason.ADMISSION_TIMEOUT,
    sentence="Nobody let the bot into the meeting in time.",
    leaves=True,
)


def driver_error(detail: str) -> Outcome:
    """The driver failed; `detail` must be free of secrets."""
    return Outcome(
        exit_code=ExitCode.FAILED,
        reason=BotReason.DRIVER_ERROR,
        sentence="The bot's driver failed.",
        detail=detail,
    )


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


def program_ended(code: int, *, reason: str | None = None, detail: str | None = None) -> Outcome:
    """The program under the exec driver ended; `reason` is what it said itself."""
    fallback = BotReason.MEETING_ENDED if code == 0 else exit_code_reason(code)
    return Outcome(
        exit_code=code,
        reason=reason or fallback,
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
