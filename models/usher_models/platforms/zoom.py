"""Zoom: numbers, which one cloud shares among all its hosts, and personal links, which carry their host.

The clouds of a government or another company number their meetings by themselves, so their ids carry their domain.
A webinar (`/w/`) and the web client (`/wc/`) are the meeting of the same number. A host's own link (`/s/`) would start
the meeting as its host, so a bot gets the one for participants. Personal links are lower-case letters, digits and dots.
"""

import re
from dataclasses import replace

from usher_models.platforms.hosts import is_under
from usher_models.platforms.link import Link, quoted, without_separators
from usher_models.platforms.model import Found, Platform, Rules, no_meeting

# The first two are one cloud.
_DOMAINS = ("zoom.us", "zoom.com", "zoomgov.com", "zoom-x.de", "zoom.com.cn")
_OTHER_CLOUDS = r"zoomgov\.com|zoom-x\.de|zoom\.com\.cn"
_HOST = rf"(?:[a-z0-9-]{{1,63}}\.){{0,3}}(?:zoom\.us|zoom\.com|{_OTHER_CLOUDS})"
_NUMBER = rf"[0-9]{{9,11}}(?:@(?:{_OTHER_CLOUDS}))?"
_PATTERN = re.compile(rf"{_NUMBER}|[a-z][a-z0-9._-]{{1,62}}[a-z0-9]@{_HOST}")
# Hosts by region or kind of client, which say nothing about whose meeting it is.
_REGIONAL = re.compile(r"(?:www|app|[a-z]{2}[0-9]{2}web)\.")
_JOINING = ("j", "w", "wc", "s")
_ADVICE = "the link of a meeting is like https://zoom.us/j/85123456789"

# The first part of the path, or of the host, and what it is.
_PAGES = {
    "rec": "a recording",
    "recording": "a recording",
    "clips": "a clip",
    "u": "a list of phone numbers",
    "zoomconference": "a list of phone numbers",
    "launch": "a chat",
    "meetings": "a page about a meeting",
    "meeting": "a page about a meeting",
    "webinar": "a page about a webinar",
    "join": "the page on which a number is typed",
    "test": "the page for tests",
    "docs": "a document",
    "scheduler": "a page for bookings",
    "calendar": "a calendar",
    "postattendee": "the page after a meeting",
    "signin": "the page for signing in",
}


def _canonical(text: str) -> str:
    local, _, host = text.lower().partition("@")
    number = without_separators(local)
    if re.fullmatch(r"[0-9]+", number):
        cloud = _domain_of(host)
        return number if cloud in ("", "zoom.us", "zoom.com") else f"{number}@{cloud}"
    return f"{local}@{_whose(host)}" if host else local


def _whose(host: str) -> str:
    """The host without what says nothing about whose meeting it is."""
    return re.sub(r"zoom\.com\Z", "zoom.us", _REGIONAL.sub("", host))


def _domain_of(host: str) -> str:
    return next((domain for domain in _DOMAINS if is_under(host, domain)), host)


def _url(native_id: str, passcode: str | None) -> str:
    local, _, host = native_id.partition("@")
    query = f"?pwd={quoted(passcode)}" if passcode else ""
    kind = "j" if local.isdigit() else "my"
    return f"https://{host or 'zoom.us'}/{kind}/{local}{query}"


def _parse(link: Link) -> Found | None:
    if _domain_of(link.host) not in _DOMAINS:
        return None
    segments = _segments(link)
    if segments[:1] == ["join"] and link.parameter("confno"):
        link = _joined(link, link.parameter("confno") or "")
        segments = _segments(link)
    if "register" in segments or link.host.startswith("events."):
        raise no_meeting(
            "meetingUrl is the registration page of a Zoom meeting: register, then use the link of the confirmation."
        )
    native_id = _named(segments, link)
    if not native_id:
        raise no_meeting(f"meetingUrl is {_page(segments, link)} of Zoom, not a meeting; {_ADVICE}.")
    link = _with_number(link, segments)
    return Found(native_id=native_id, link=link, passcode=link.parameter("pwd"), passcode_link=link)


def _segments(link: Link) -> list[str]:
    """The parts of the path; the first, which says what kind of page it is, may be typed in any case."""
    return [segment if at else segment.lower() for at, segment in enumerate(link.segments)]


def _with_number(link: Link, segments: list[str]) -> Link:
    """The link with its number as digits only, and for participants."""
    if segments[0] == "s":
        return _joined(link, without_separators(segments[1]))
    if segments[0] in ("j", "w"):
        return replace(link, path=f"/{segments[0]}/{without_separators(segments[1])}")
    return link


def _joined(link: Link, number: str) -> Link:
    """The link for participants, without the key of the host."""
    for secret in ("confno", "zak", "uname", "action", "zc"):
        link = link.without_parameter(secret)
    return replace(link, path=f"/j/{quoted(number)}")


def _named(segments: list[str], link: Link) -> str | None:
    kind, rest = segments[:1], segments[1:]
    if kind == ["my"] and rest:
        native_id = _canonical(f"{rest[0]}@{link.host}")
    elif kind and kind[0] in _JOINING:
        numbers = [segment for segment in rest if segment not in ("join", "start")]
        native_id = _canonical(f"{''.join(numbers[:1])}@{link.host}")
    else:
        return None
    number_or_my = kind == ["my"] or native_id[:1].isdigit()
    return native_id if number_or_my and _PATTERN.fullmatch(native_id) else None


def _page(segments: list[str], link: Link) -> str:
    named = (segments[:1] or [""])[0]
    if named in _JOINING or named == "my":
        return f"/{named} without a number of 9 to 11 digits or a personal name"
    return _PAGES.get(named) or _PAGES.get(link.host.partition(".")[0]) or "a page"


RULES = Rules(
    platform=Platform.ZOOM,
    example="85123456789",
    pattern=_PATTERN,
    canonical=_canonical,
    url=_url,
    parse=_parse,
    passcode_parameter="pwd",
)
