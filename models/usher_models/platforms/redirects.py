"""Links around links: what mail filters, calendars and chats make of a link, and the way back."""

import base64
import binascii
import re
import string
from dataclasses import dataclass
from urllib.parse import unquote

from usher_models.platforms.hosts import is_under
from usher_models.platforms.link import Link
from usher_models.platforms.model import no_meeting


@dataclass(frozen=True)
class _Redirect:
    """Hosts that lead on to the link in one of these parameters."""

    host: re.Pattern[str]
    parameters: tuple[str, ...]
    path: str = ""


_REDIRECTS = (
    _Redirect(re.compile(r"(?:www\.)?google\.[a-z]{2,3}(?:\.[a-z]{2})?"), ("q", "url"), path="/url"),
    _Redirect(re.compile(r"(?:[a-z0-9-]+\.)?safelinks\.protection\.(?:outlook\.com|office365\.us)"), ("url",)),
    _Redirect(re.compile(r"statics\.teams\.(?:cdn\.office\.net|microsoft\.com)"), ("url",)),
    _Redirect(re.compile(r"slack-redir\.net"), ("url",), path="/link"),
    _Redirect(re.compile(r"linkprotect\.cudasvc\.com"), ("a",), path="/url"),
    _Redirect(re.compile(r"lm?\.facebook\.com"), ("u",), path="/l.php"),
    _Redirect(re.compile(r"l\.(?:instagram|workplace)\.com"), ("u",)),
    _Redirect(re.compile(r"www\.linkedin\.com"), ("url",), path="/redir/redirect"),
    _Redirect(re.compile(r"www\.youtube\.com"), ("q",), path="/redirect"),
    _Redirect(re.compile(r"accounts\.google\.com"), ("continue",)),
    _Redirect(re.compile(r"[a-z0-9-]+\.safelink\.emails\.azure\.net"), ("destination",)),
    _Redirect(re.compile(r"clicktime\.symantec\.com|link\.edgepilot\.com"), ("u",)),
    _Redirect(re.compile(r"urldefense\.proofpoint\.com"), ("u",), path="/v1/url"),
)
_CISCO = re.compile(r"/[^/]+/(https%3A%2F%2F.+)", re.IGNORECASE)
_PROOFPOINT_2 = re.compile(r"urldefense\.proofpoint\.com")
_PROOFPOINT_3 = re.compile(r"https://urldefense\.(?:com|us|proofpoint\.com)/v3/__(.+)__;([A-Za-z0-9_-]*)!!.*")
# A single `*` is one character that was taken out; `**` and a letter are as many as the letter's place says.
_TAKEN_OUT = re.compile(r"\*\*([A-Za-z0-9_-])|\*")
_RUN_LENGTHS = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
# Where these lead only they know.
_OPAQUE = ("mimecast.com", "mimecastprotect.com", "t.co", "bit.ly", "tinyurl.com", "aka.ms", "lnkd.in", "goo.gl")


def target_of(link: Link) -> str | None:
    """Where a redirect leads; None when the link is none. Raises InvalidMeeting for one that does not say it."""
    if any(is_under(link.host, host) for host in _OPAQUE):
        raise no_meeting(
            f"meetingUrl is a link of {link.host}, which hides where it leads; open it and use the address it leads to."
        )
    wrapped = _PROOFPOINT_3.fullmatch(link.url)
    if wrapped:
        return _put_back(wrapped[1], taken_out=wrapped[2])
    if link.host == "secure-web.cisco.com" and (inside := _CISCO.fullmatch(link.path)):
        return unquote(inside[1])
    if _PROOFPOINT_2.fullmatch(link.host) and link.path == "/v2/url":
        return unquote((link.parameter("u") or "").replace("-", "%").replace("_", "/"))
    for redirect in _REDIRECTS:
        if redirect.host.fullmatch(link.host) and unquote(link.path).startswith(redirect.path):
            return next((target for name in redirect.parameters if (target := link.parameter(name))), None)
    return None


def _put_back(text: str, *, taken_out: str) -> str | None:
    """The link that Proofpoint wrapped, with the characters that it took out and keeps in base64 behind the link."""
    try:
        letters = iter(base64.urlsafe_b64decode(f"{taken_out}===").decode())
        whole = _TAKEN_OUT.sub(
            lambda found: "".join(next(letters) for _ in range(_RUN_LENGTHS.index(found[1]) + 2 if found[1] else 1)),
            text,
        )
    except (binascii.Error, UnicodeDecodeError, RuntimeError):
        return None
    return re.sub(r"\A(https?):/+", r"\1://", whole)
