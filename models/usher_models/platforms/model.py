"""The words of this package: a platform, a meeting on it, what a link says, and the rules of one platform."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from usher_models.errors import InvalidMeeting
from usher_models.platforms.link import Link

URL_FIELD = "meetingUrl"


class Platform(StrEnum):
    """The platforms a bot can join."""

    GOOGLE_MEET = "google_meet"
    TEAMS = "teams"
    ZOOM = "zoom"
    JITSI = "jitsi"


@dataclass(frozen=True, kw_only=True)
class MeetingRef:
    """One meeting on one platform. `url` is where a bot goes; `passcode` is None when the meeting has none."""

    platform: Platform
    native_id: str
    url: str
    passcode: str | None = None


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a link names. `link` is where the bot goes; a passcode given separately goes into `passcode_link`, which is
    None when the platform's links have no place for one."""

    native_id: str
    link: Link
    passcode: str | None = None
    passcode_link: Link | None = None


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What one platform calls its meetings.

    `canonical` gives an id its one spelling and judges nothing; `pattern` is what every canonical id matches; `url` is
    the link of an id, or None where the id alone names no place; `parse` is None for a link of another platform and
    raises InvalidMeeting for a page of this one that is no meeting. `passcode_parameter` is the name of the passcode in
    a link. `host` is the host inside an id where any host may stand in one.
    """

    platform: Platform
    example: str
    pattern: re.Pattern[str]
    canonical: Callable[[str], str]
    url: Callable[[str, str | None], str | None]
    parse: Callable[[Link], Found | None]
    passcode_parameter: str | None = None
    host: Callable[[str], str | None] = lambda _native_id: None


def no_meeting(sentence: str) -> InvalidMeeting:
    """The refusal of a link that leads to something else than a meeting."""
    return InvalidMeeting(sentence, field=URL_FIELD)
