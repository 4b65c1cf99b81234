"""Which ids and URLs name a meeting, per platform, and how one becomes the other.

The rules follow what the platforms accept today: Google Meet codes and nicknames, Teams' numeric ids (a classic
`meetup-join` link has no short id, so it is known by a 16-digit hash and keeps its URL), Zoom's 9 to 11 digits, and
Jitsi rooms with an optional host.
"""

import hashlib
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

from usher_models.errors import InvalidMeeting

URL_MAX_LENGTH = 2048
DEFAULT_JITSI_HOST = "meet.jit.si"


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


@dataclass(frozen=True)
class _Rule:
    pattern: re.Pattern[str]
    example: str
    url: Callable[[str, str | None], str | None]


def _meet_url(native_id: str, _passcode: str | None) -> str:
    return f"https://meet.google.com/{native_id}"


def _teams_url(native_id: str, passcode: str | None) -> str | None:
    if not native_id.isdigit() or len(native_id) == 16:
        return None
    query = f"?p={quote(passcode, safe='')}" if passcode else ""
    return f"https://teams.live.com/meet/{native_id}{query}"


def _zoom_url(native_id: str, passcode: str | None) -> str:
    query = f"?pwd={quote(passcode, safe='')}" if passcode else ""
    return f"https://zoom.us/j/{native_id}{query}"


def _jitsi_url(native_id: str, _passcode: str | None) -> str:
    room, _, host = native_id.partition("@")
    return f"https://{host or DEFAULT_JITSI_HOST}/{quote(room, safe='')}"


_HOST = r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}"

RULES: dict[Platform, _Rule] = {
    Platform.GOOGLE_MEET: _Rule(
        re.compile(r"[a-z]{3}-[a-z]{4}-[a-z]{3}|[a-z0-9][a-z0-9-]{3,38}[a-z0-9]"),
        "abc-defg-hij",
        _meet_url,
    ),
    Platform.TEAMS: _Rule(re.compile(r"[0-9]{10,15}|[0-9a-f]{16}"), "9876543210123", _teams_url),
    Platform.ZOOM: _Rule(re.compile(r"[0-9]{9,11}"), "85123456789", _zoom_url),
    Platform.JITSI: _Rule(
        re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,99}}(?:@{_HOST})?"),
        "standup or standup@meet.example.org",
        _jitsi_url,
    ),
}


def resolve(
    *,
    platform: str | None = None,
    native_id: str | None = None,
    url: str | None = None,
    passcode: str | None = None,
) -> MeetingRef:
    """The meeting that a request names: by `platform` and `native_id`, by `url`, or by both when they agree.

    Raises InvalidMeeting, whose `field` is the field of the request to correct.
    """
    check_passcode(passcode)
    if url:
        return _from_url(url, platform=platform, native_id=native_id, passcode=passcode)
    if not platform:
        raise InvalidMeeting("Name the meeting by platform and nativeMeetingId, or by meetingUrl.", field="platform")
    known = parse_platform(platform)
    if not native_id:
        raise InvalidMeeting(f"nativeMeetingId is missing; for {known} it looks like {RULES[known].example}.")
    check_native_id(known, native_id)
    built = RULES[known].url(native_id, passcode)
    if built is None:
        raise InvalidMeeting("A Teams meeting known by its 16-digit hash needs its meetingUrl.", field="meetingUrl")
    return MeetingRef(platform=known, native_id=native_id, url=built, passcode=passcode)


def _is_typed(value: str) -> bool:
    """Whether it has no control character and no half of one: neither is stored by Postgres or fits into a URL."""
    return not any(unicodedata.category(char) in ("Cc", "Cs") for char in value)


def check_passcode(passcode: str | None) -> None:
    """Raise InvalidMeeting when nobody could have typed that passcode."""
    if passcode is not None and not _is_typed(passcode):
        raise InvalidMeeting("passcode has control characters.", field="passcode")


def parse_platform(platform: str) -> Platform:
    """The platform of that name. Raises InvalidMeeting that lists the known ones."""
    try:
        return Platform(platform)
    except ValueError as exc:
        known = ", ".join(Platform)
        raise InvalidMeeting(f"Unknown platform {platform!r}; known are {known}.", field="platform") from exc


def check_native_id(platform: Platform, native_id: str) -> None:
    """Raise InvalidMeeting unless `native_id` has the platform's shape."""
    rule = RULES[platform]
    if not rule.pattern.fullmatch(native_id):
        raise InvalidMeeting(f"{native_id!r} is not a {platform} meeting id; one looks like {rule.example}.")


def _from_url(url: str, *, platform: str | None, native_id: str | None, passcode: str | None) -> MeetingRef:
    parts = _split(url)
    for known, parse in _PARSERS.items():
        found = parse(parts)
        if found is not None:
            ref = _build(known, found, url=url, passcode=passcode)
            return _agree(ref, platform=platform, native_id=native_id)
    if platform == Platform.JITSI:
        return _agree(
            _build(Platform.JITSI, _any_jitsi(parts), url=url, passcode=passcode), platform=None, native_id=native_id
        )
    raise InvalidMeeting(
        "meetingUrl is no Google Meet, Teams, Zoom or Jitsi link; for a Jitsi host of your own set platform to jitsi.",
        field="meetingUrl",
    )


def _split(url: str) -> SplitResult:
    if len(url) > URL_MAX_LENGTH or not _is_typed(url) or " " in url:
        raise InvalidMeeting(
            f"meetingUrl has spaces or control characters, or over {URL_MAX_LENGTH} characters.", field="meetingUrl"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise InvalidMeeting("meetingUrl is not a URL.", field="meetingUrl") from exc
    if parts.scheme != "https" or parts.username or port not in (None, 443):
        raise InvalidMeeting("meetingUrl must start with https:// and carry no user or port.", field="meetingUrl")
    if not re.fullmatch(_HOST, parts.hostname or ""):
        raise InvalidMeeting("meetingUrl must name a public host, not an address.", field="meetingUrl")
    return parts


@dataclass(frozen=True)
class _Found:
    native_id: str
    passcode: str | None = None
    keeps_url: bool = False


def _build(platform: Platform, found: _Found, *, url: str, passcode: str | None) -> MeetingRef:
    try:
        check_native_id(platform, found.native_id)
    except InvalidMeeting as exc:
        raise InvalidMeeting(f"meetingUrl: {exc}", field="meetingUrl") from exc
    if found.passcode and not _is_typed(found.passcode):
        raise InvalidMeeting("meetingUrl: its passcode has control characters.", field="meetingUrl")
    secret = passcode or found.passcode
    built = None if found.keeps_url else RULES[platform].url(found.native_id, secret)
    return MeetingRef(platform=platform, native_id=found.native_id, url=built or url, passcode=secret)


def _agree(ref: MeetingRef, *, platform: str | None, native_id: str | None) -> MeetingRef:
    if platform and parse_platform(platform) is not ref.platform:
        raise InvalidMeeting(f"meetingUrl is a {ref.platform} link, but platform says {platform}.", field="platform")
    if native_id and native_id != ref.native_id:
        raise InvalidMeeting(f"meetingUrl is meeting {ref.native_id!r}, but nativeMeetingId says {native_id!r}.")
    return ref


def _segments(parts: SplitResult) -> list[str]:
    return [unquote(segment) for segment in parts.path.split("/") if segment]


def _query(parts: SplitResult, name: str) -> str | None:
    return parse_qs(parts.query).get(name, [None])[0]


def _parse_meet(parts: SplitResult) -> _Found | None:
    if parts.hostname != "meet.google.com":
        return None
    segments = _segments(parts)
    if segments[:1] == ["lookup"]:
        segments = segments[1:]
    return _Found(segments[0].lower() if segments else "")


def _parse_teams(parts: SplitResult) -> _Found | None:
    host = parts.hostname or ""
    if host not in ("teams.live.com", "teams.microsoft.com", "teams.cloud.microsoft"):
        return None
    segments = _segments(parts)
    if segments[:1] == ["meet"] and len(segments) > 1:
        return _Found(segments[1], _query(parts, "p"), keeps_url=host != "teams.live.com")
    if segments[:2] == ["l", "meetup-join"] and len(segments) > 2:
        return _Found(hashlib.sha256(segments[2].encode()).hexdigest()[:16], keeps_url=True)
    return _Found("")


def _parse_zoom(parts: SplitResult) -> _Found | None:
    host = parts.hostname or ""
    if host != "zoom.us" and not host.endswith(".zoom.us"):
        return None
    segments = [segment for segment in _segments(parts) if segment not in ("j", "wc", "join")]
    return _Found(
        segments[0] if segments else "", _query(parts, "pwd"), keeps_url=host not in ("zoom.us", "www.zoom.us")
    )


def _parse_jitsi(parts: SplitResult) -> _Found | None:
    return _any_jitsi(parts) if parts.hostname in (DEFAULT_JITSI_HOST, "8x8.vc") else None


def _any_jitsi(parts: SplitResult) -> _Found:
    segments = _segments(parts)
    room = segments[-1] if segments else ""
    host = "" if parts.hostname == DEFAULT_JITSI_HOST else f"@{parts.hostname}"
    return _Found(f"{room}{host}", keeps_url=len(segments) > 1)


_PARSERS: dict[Platform, Callable[[SplitResult], _Found | None]] = {
    Platform.GOOGLE_MEET: _parse_meet,
    Platform.TEAMS: _parse_teams,
    Platform.ZOOM: _parse_zoom,
    Platform.JITSI: _parse_jitsi,
}
