"""From what was pasted to a Link: out of its brackets and punctuation, out of redirects, into one spelling.

Links come out of mails, chats and calendars, with what stood around them. Whatever cannot be a part of a link is taken
off; whatever would be read differently by different programs (a backslash, a user before the host) is refused.
"""

import re
import unicodedata
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from usher_models.platforms.hosts import canonical_host, check_host
from usher_models.platforms.link import Link, encoded, is_typed
from usher_models.platforms.model import URL_FIELD, no_meeting
from usher_models.platforms.redirects import target_of

URL_MAX_LENGTH = 2048
_REDIRECTS_MAX = 3

_ENTITIES = {
    "&amp;": "&",
    "&#38;": "&",
    "&#x26;": "&",
    "&lt;": "<",
    "&gt;": ">",
    "&quot;": '"',
    "&#39;": "'",
    "&nbsp;": " ",
}
_ENTITY = re.compile("|".join(_ENTITIES))
_CLOSING = {")": "(", "]": "[", "}": "{", ">": "<"}
# Also their full-width forms, and the stops of Chinese and Japanese.
_STOPS = ".,;:!?'`*\u3001\u3002"
# Mail in plain text shows a link as `https://…<https://…>`.
_WRITTEN_TWICE = re.compile(r"(?<=\S)<https?:.*", re.DOTALL)
# The links with which the programs of the platforms are started.
_APP_SCHEMES = {
    re.compile(r"(?:zoommtg|zoomus|org\.jitsi\.meet):/*", re.IGNORECASE): "https://",
    re.compile(r"msteams:/*(?!/|teams\.)", re.IGNORECASE): "https://teams.microsoft.com/",
    re.compile(r"msteams:/*(?=teams\.)", re.IGNORECASE): "https://",
}


def read_link(text: str, *, allowed_private_hosts: Sequence[str] = ()) -> Link:
    """The link in `text`. Raises InvalidMeeting for what is no https link to a host that bots may go to."""
    link = _normalised(tidy(text))
    for _ in range(_REDIRECTS_MAX):
        target = target_of(link)
        if target is None:
            break
        link = _normalised(tidy(target))
    check_host(link.host, allowed=allowed_private_hosts, field=URL_FIELD)
    return link


def tidy(text: str) -> str:
    """The link without what stood around it."""
    text = visible(text)
    while _ENTITY.search(text):
        text = _ENTITY.sub(lambda match: _ENTITIES[match[0]], text).strip()
    if text.startswith("<"):
        text = re.split(r"[>|]", text[1:], maxsplit=1)[0]
    while text and _is_opening(text[0]):
        text = text[1:].lstrip()
    text = re.sub(r"\AURL:\s*", "", text, flags=re.IGNORECASE)
    text = _WRITTEN_TWICE.sub("", text)
    while text and _is_punctuation(text):
        text = text[:-1].rstrip()
    return text


def visible(text: str) -> str:
    """`text` without spaces around it and characters that nobody sees, except the joiners that some writing needs."""
    bare = "".join(char for char in text if unicodedata.category(char) != "Cf")
    if bare.isascii():
        return bare.strip()
    return "".join(char for char in text if unicodedata.category(char) != "Cf" or char in "\u200c\u200d").strip()


def _is_opening(char: str) -> bool:
    return char in "<\"'`*" or unicodedata.category(char) in ("Ps", "Pi")


def _is_punctuation(text: str) -> bool:
    """True if the last character ends a sentence, or closes what the link did not open."""
    last = text[-1]
    if last in _CLOSING:
        return text.count(last) > text.count(_CLOSING[last])
    if last == '"':
        return text.count(last) % 2 == 1
    return unicodedata.normalize("NFKC", last)[0] in _STOPS or unicodedata.category(last) in ("Pe", "Pf")


def _normalised(text: str) -> Link:
    parts, port = _split(text)
    host = canonical_host(parts.hostname or "")
    if not host:
        raise no_meeting("meetingUrl must name a public host.")
    path, query, fragment = (encoded(part) for part in (parts.path, parts.query, parts.fragment))
    link = Link(host=host, port=None if port == 443 else port, path=path, query=query, fragment=fragment)
    if {".", ".."} & set(link.segments):
        raise no_meeting("meetingUrl must not have . or .. in its path.")
    check_length(link.url)
    return link


def check_length(url: str) -> None:
    """Raise InvalidMeeting for a URL that no BotRequest can hold."""
    if len(url) > URL_MAX_LENGTH:
        raise no_meeting(f"meetingUrl has over {URL_MAX_LENGTH} characters.")


def _split(text: str) -> tuple[SplitResult, int | None]:
    if not is_typed(text) or re.search(r"[\s\\]", text):
        raise no_meeting("meetingUrl has spaces, backslashes or control characters; give the link alone.")
    for scheme, instead in _APP_SCHEMES.items():
        text = scheme.sub(instead, text, count=1) if scheme.match(text) else text
    check_length(text)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as exc:
        raise no_meeting("meetingUrl is not a URL.") from exc
    if parts.scheme != "https" or "@" in parts.netloc:
        raise no_meeting("meetingUrl must start with https:// and carry no user.")
    return parts, port
