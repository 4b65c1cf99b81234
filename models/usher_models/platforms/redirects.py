"""Links around links: what mail filters, calendars and chats make of a link, and the way back."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from usher_models.platforms.link import Link


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
    _Redirect(re.compile(r"www\.linkedin\.com"), ("url",), path="/redir/redirect"),
)
_PROOFPOINT_2 = re.compile(r"urldefense\.proofpoint\.com")
_PROOFPOINT_3 = re.compile(r"https://urldefense\.(?:com|us|proofpoint\.com)/v3/__([^*]+?)__;.*")


def target_of(link: Link) -> str | None:
    """Where a redirect leads; None when the link is none."""
    wrapped = _PROOFPOINT_3.fullmatch(link.url)
    if wrapped:
        return re.sub(r"\A(https?):/+", r"\1://", wrapped[1])
    if _PROOFPOINT_2.fullmatch(link.host) and link.path == "/v2/url":
        return unquote((link.parameter("u") or "").replace("-", "%").replace("_", "/"))
    for redirect in _REDIRECTS:
        if redirect.host.fullmatch(link.host) and link.path.startswith(redirect.path):
            return next((target for name in redirect.parameters if (target := link.parameter(name))), None)
    return None
