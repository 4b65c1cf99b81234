"""The errors between the bot and the control plane, as one tree.

    BotError
    ├── InvalidSettings            the environment does not describe a bot; exit code 1
    ├── Unreachable                no answer, or one that asks for another try
    ├── NotApplied                 understood and declined; the bot logs it and goes on
    └── Dismissed                  the control plane does not want this bot; exit code 4, nothing more is reported
        ├── MeetingOver            410 meeting_over
        ├── AnotherPodSpeaks       409 another_pod_speaks
        ├── TokenRefused           401 unauthorized, 403 forbidden; final after two minutes, because tokens rotate
        └── ConnectionUnknown      404 unknown_connection; final after a minute, because a replica may lag

Only a problem of Usher's own dismisses a bot. The same status from anything else, such as the page of an ingress, is
Unreachable: it says nothing about the meeting.

The docstring of a class is its message for a person.
"""

from typing import ClassVar


class BotError(Exception):
    """Something went wrong inside the bot."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class InvalidSettings(BotError):
    """The environment does not describe a bot."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Unreachable(BotError):
    """The control plane cannot be reached."""

    def __init__(self, message: str | None = None, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NotApplied(BotError):
    """The control plane declined the callback."""


class Dismissed(BotError):
    """The control plane does not want this bot."""

    final_after_s: ClassVar[float] = 0.0


class MeetingOver(Dismissed):
    """The meeting is over."""


class AnotherPodSpeaks(Dismissed):
    """Another pod already speaks for this meeting."""


class TokenRefused(Dismissed):
    """The control plane refuses the bot's token."""

    final_after_s = 120.0


class ConnectionUnknown(Dismissed):
    """The control plane knows no meeting with this connection id."""

    final_after_s = 60.0
