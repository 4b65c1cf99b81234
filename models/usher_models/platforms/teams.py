"""Microsoft Teams: numbers, and threads, whose ids are too long and too private for a path and are hashed.

A thread (`/l/meetup-join/19:…@thread.v2/0`) is one meeting, but in a channel each message of the thread is one, so the
message is a part of it. The launcher, the web client and the light client carry the same link inside. The clouds of
governments and of China number their meetings by themselves, so their ids carry their host; those of companies and of
private people do not, because Vexa's databases hold them without.
"""

import base64
import hashlib
import json
import re
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from usher_models.platforms.hosts import is_under
from usher_models.platforms.link import Link, encoded, quoted, without_separators
from usher_models.platforms.model import Found, Platform, Rules, no_meeting

_SHARED = ("teams.live.com", "teams.microsoft.com", "teams.cloud.microsoft")
_OTHER_CLOUDS = r"(?:[a-z0-9-]{1,63}\.)?teams\.microsoft\.us|teams\.microsoftonline\.cn"
_PATTERN = re.compile(rf"[0-9]{{10,15}}(?:@(?:{_OTHER_CLOUDS}))?|[0-9a-f]{{16}}")
_THREAD = re.compile(r"19:[^/@\s]+@[a-z0-9.]+")
_ADVICE = "the link of a meeting is like https://teams.microsoft.com/meet/… or …/l/meetup-join/…, as in its invitation"

# The beginning of the path, and what it is.
_PAGES = {
    "meetingOptions": "the options of a meeting",
    "l/channel": "a channel",
    "l/team": "a team",
    "l/chat": "a chat",
    "l/message": "a message",
    "l/call": "a call",
    "l/meeting/new": "the form for a new meeting",
    "l/meeting/details": "a page of the calendar",
    "l/entity": "an app",
    "light-meetings": "a page that does not say which meeting it is of",
}


def _canonical(text: str) -> str:
    if _THREAD.fullmatch(text):
        return _hash(text, "0")
    number, at, host = text.lower().partition("@")
    number = without_separators(number)
    return f"{number}@{host}" if at and not _is_shared(host) else number


def _is_shared(host: str) -> bool:
    return any(is_under(host, domain) for domain in _SHARED)


def _hash(thread: str, message: str) -> str:
    key = thread if message == "0" else f"{thread}/{message}"
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def _url(native_id: str, passcode: str | None) -> str | None:
    number, _, host = native_id.partition("@")
    if not number.isdigit() or len(number) == 16:
        return None
    query = f"?p={quoted(passcode)}" if passcode else ""
    return f"https://{host or 'teams.live.com'}/meet/{number}{query}"


def _parse(link: Link) -> Found | None:
    if not _is_shared(link.host) and not re.fullmatch(_OTHER_CLOUDS, link.host):
        return None
    _refuse_neighbours(link)
    inner = _inner(link) or link
    found = _number(inner) or _thread(inner)
    if found is None:
        raise no_meeting(f"meetingUrl is {_page(link)} of Microsoft Teams, not a meeting; {_ADVICE}.")
    return replace(found, link=link)


def _refuse_neighbours(link: Link) -> None:
    if link.host.startswith("events.teams.") or "registration" in link.segments[:1]:
        raise no_meeting(
            "meetingUrl is the registration page of a Teams event: register, then use the link of the confirmation."
        )
    if link.host.startswith("dialin.teams."):
        raise no_meeting(f"meetingUrl lists the phone numbers of a Teams meeting; {_ADVICE}.")


def _inner(link: Link) -> Link | None:
    """The meeting's own link, where the launcher, the web client or the light client stands around it."""
    if link.segments[:2] == ["dl", "launcher"]:
        return _relative(link, link.parameter("url") or "")
    if link.segments[:1] == ["light-meetings"]:
        return _light(link)
    if link.fragment.startswith("/"):
        return _relative(link, link.fragment)
    return None


def _relative(link: Link, text: str) -> Link:
    parts = urlsplit(encoded(text.partition("#")[2] or text))
    return Link(host=link.host, path=parts.path, query=parts.query)


def _light(link: Link) -> Link | None:
    try:
        where = json.loads(base64.b64decode(f"{link.parameter('coords') or ''}==="))
        thread, message = str(where["conversationId"]), str(where.get("messageId") or "0")
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return Link(host=link.host, path=f"/l/meetup-join/{quoted(thread)}/{quoted(message)}")


def _number(link: Link) -> Found | None:
    if link.segments[:1] != ["meet"] or len(link.segments) < 2:
        return None
    native_id = _canonical(f"{link.segments[1]}@{link.host}")
    if not _PATTERN.fullmatch(native_id):
        return None
    return Found(native_id=native_id, link=link, passcode=link.parameter("p"), passcode_link=link)


def _thread(link: Link) -> Found | None:
    *start, thread, message = [*link.segments, "", "", "", ""][:4]
    if link.segments[:1] == ["pre-join-calling"]:
        start, thread, message = ["l", "meetup-join"], link.segments[-1], ""
    while unquote(thread) != thread:
        thread = unquote(thread)
    if start != ["l", "meetup-join"] or not _THREAD.fullmatch(thread):
        return None
    return Found(native_id=_hash(thread, message or "0"), link=link)


def _page(link: Link) -> str:
    path = "/".join(link.segments)
    return next((what for start, what in _PAGES.items() if path.startswith(start)), "a page")


RULES = Rules(
    platform=Platform.TEAMS,
    example="9876543210123",
    pattern=_PATTERN,
    canonical=_canonical,
    url=_url,
    parse=_parse,
    passcode_parameter="p",
)
