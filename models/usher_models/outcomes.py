"""How a bot's visit to a meeting can end, as one table: whose doing it was, and whether another try can help.

Bots report a reason and an exit code; this table says what they mean. A platform's refusal of bots is a reason of
its own, a time-out is never called a denial, and a bot that lost its page never claims that the meeting ended.
"""

from dataclasses import dataclass
from enum import StrEnum


class Party(StrEnum):
    """Whose doing an end was."""

    NONE = "none"
    """It went as intended."""
    HOST = "host"
    """The people in the meeting decided it."""
    USER = "user"
    """The request names a meeting that does not exist, or lacks what the meeting asks for."""
    PLATFORM = "platform"
    """The platform keeps bots or guests out."""
    INFRASTRUCTURE = "infrastructure"
    """The cluster, its nodes, or the network between the bot and the meeting."""
    USHER = "usher"
    """Usher itself: a slot was reserved and nothing came of it."""
    BOT = "bot"
    """The bot's program, its browser, the memory it took, or its driver."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """One way a visit ends."""

    reason: str
    exit_code: int
    fault: Party
    retry_helps: bool
    sentence: str


DONE, FAILED, NOT_ADMITTED, CUT_OFF = 0, 1, 2, 5


def _ending(reason: str, exit_code: int, fault: Party, sentence: str, *, retry_helps: bool = False) -> Ending:
    return Ending(reason=reason, exit_code=exit_code, fault=fault, retry_helps=retry_helps, sentence=sentence)


_ALL = (
    _ending("meeting_ended", DONE, Party.NONE, "The meeting ended."),
    _ending("left_alone", DONE, Party.NONE, "The bot left because everyone else had left."),
    _ending("nobody_came", DONE, Party.NONE, "The bot left because no participant arrived."),
    _ending("only_bots_left", DONE, Party.NONE, "The bot left because only bots remained."),
    _ending("meeting_silent", DONE, Party.NONE, "The bot left because the meeting had been silent for too long."),
    _ending("evicted_from_meeting", DONE, Party.HOST, "The bot was removed from the meeting."),
    _ending("admission_denied", NOT_ADMITTED, Party.HOST, "The bot was refused in the lobby."),
    _ending(
        "admission_timeout",
        NOT_ADMITTED,
        Party.HOST,
        "The bot was not let into the meeting in time.",
        retry_helps=True,
    ),
    _ending(
        "meeting_not_started",
        NOT_ADMITTED,
        Party.HOST,
        "The meeting did not start in time.",
        retry_helps=True,
    ),
    _ending("meeting_not_found", NOT_ADMITTED, Party.USER, "The platform knows no such meeting."),
    _ending(
        "meeting_full_or_locked",
        NOT_ADMITTED,
        Party.HOST,
        "The meeting is full or locked.",
        retry_helps=True,
    ),
    _ending("passcode_needed", NOT_ADMITTED, Party.USER, "The meeting asks for a passcode, and the request has none."),
    _ending("passcode_wrong", NOT_ADMITTED, Party.USER, "The meeting refused the request's passcode."),
    _ending("sign_in_needed", NOT_ADMITTED, Party.PLATFORM, "The meeting admits signed-in users only."),
    _ending("captcha_shown", NOT_ADMITTED, Party.PLATFORM, "The platform asked the bot to solve a captcha."),
    _ending("blocked_by_platform", NOT_ADMITTED, Party.PLATFORM, "The platform does not let bots into this meeting."),
    _ending(
        "network_lost", CUT_OFF, Party.INFRASTRUCTURE, "The bot lost its connection to the meeting.", retry_helps=True
    ),
    _ending("page_crashed", CUT_OFF, Party.BOT, "The meeting's page crashed in the bot's browser.", retry_helps=True),
    _ending("page_hung", CUT_OFF, Party.BOT, "The meeting's page stopped answering.", retry_helps=True),
    _ending("browser_crashed", CUT_OFF, Party.BOT, "The bot's browser crashed or stopped answering.", retry_helps=True),
    _ending("browser_failed", FAILED, Party.BOT, "The bot's browser did not start.", retry_helps=True),
    _ending("unknown_page", FAILED, Party.BOT, "The meeting's page showed something that the bot does not know."),
    _ending("driver_error", FAILED, Party.BOT, "The bot's driver failed."),
)

ENDINGS: dict[str, Ending] = {ending.reason: ending for ending in _ALL}
