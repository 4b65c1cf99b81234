"""Jitsi: rooms, on any host, with or without a tenant.

A room is what Jitsi itself makes of a path: without the punctuation that it drops, decoded, in NFKC and lower case. Its
id is `room`, `room@host` or `tenant:room@host`. What could be taken for one of those signs, or for something else in a
path, is written as `~20`: a client that puts the id into a path leaves that as it is, whether it encodes or not.
"""

import re
import unicodedata
from urllib.parse import unquote

from usher_models.platforms.hosts import canonical_host, is_under
from usher_models.platforms.link import Link, quoted
from usher_models.platforms.model import Found, Platform, Rules, no_meeting

DEFAULT_HOST = "meet.jit.si"
_KNOWN = ("jit.si", "8x8.vc")

# A letter of any writing, or an escape that hides no control character.
_CHARACTER = r"(?:[a-z0-9._-]|~(?![01]|7F|C2~[89])[0-9A-F]{2}|[^\x00-\x9f\ud800-\udfff\ufffd])"
_HOST = r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?"
# Folders that a Jitsi server keeps for its own files.
_FOLDERS = r"css|fonts|images|lang|libs|sounds|static|\.well-known"
_PATTERN = re.compile(
    rf"(?=.{{1,255}}\Z)(?!(?:{_FOLDERS}):)(?!\.{{1,2}}(?:@|\Z)){_CHARACTER}+(?::{_CHARACTER}+)*(?:@{_HOST})?"
)
# Jitsi drops these from a path; encoded, they stay.
_DROPPED = re.compile(r"[:?#\[\]@!$&'()*+,;=]")


def _folded(room: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", room).lower())


def _escaped(room: str) -> str:
    """Letters of any writing stay; what a path, or this id, could take for something else does not."""
    return "".join(char if _is_plain(char) else _escape(char) for char in room)


def _is_plain(char: str) -> bool:
    return char.isprintable() if not char.isascii() else char.isalnum() or char in "._-"


def _escape(char: str) -> str:
    return "".join(f"~{byte:02X}" for byte in char.encode(errors="surrogatepass"))


def _unescaped(room: str) -> str:
    return unquote(re.sub(r"~([0-9A-Fa-f]{2})", r"%\1", room))


def _name(rooms: list[str], host: str) -> str:
    name = ":".join(_escaped(_folded(room)) for room in rooms)
    return name if host in ("", DEFAULT_HOST) else f"{name}@{host}"


def _canonical(text: str) -> str:
    rooms, at, host = text.rpartition("@") if "@" in text else (text, "", "")
    if re.search(r"[/?#\\]", text) or (at and not host):
        return text
    name, colon, port = host.partition(":")
    return _name([_unescaped(room) for room in rooms.split(":")], f"{canonical_host(name) or name}{colon}{port}")


def _url(native_id: str, _passcode: str | None) -> str:
    rooms, _, host = native_id.rpartition("@") if "@" in native_id else (native_id, "", "")
    return f"https://{host or DEFAULT_HOST}/{'/'.join(quoted(_unescaped(room)) for room in rooms.split(':'))}"


def _host_of(native_id: str) -> str | None:
    return native_id.rpartition("@")[2].partition(":")[0] if "@" in native_id else None


def _parse(link: Link) -> Found | None:
    return parse_any(link) if any(is_under(link.host, domain) for domain in _KNOWN) else None


def parse_any(link: Link) -> Found:
    """The room of a link to any host. Raises InvalidMeeting."""
    rooms = [unquote(_DROPPED.sub("", part)) for part in link.path.split("/") if part]
    host = link.host if link.port is None else f"{link.host}:{link.port}"
    native_id = _name(rooms, host)
    if not all(rooms) or not _PATTERN.fullmatch(native_id):
        raise no_meeting(
            f"meetingUrl names no room of the Jitsi server {host}, or one with too long a name; the link of a meeting "
            f"is like https://{host}/standup."
        )
    return Found(native_id=native_id, link=link)


RULES = Rules(
    platform=Platform.JITSI,
    example="standup or standup@meet.example.org",
    pattern=_PATTERN,
    canonical=_canonical,
    url=_url,
    parse=_parse,
    host=_host_of,
)
