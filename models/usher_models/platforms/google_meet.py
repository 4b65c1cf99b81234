"""Google Meet: codes, nicknames, look-ups of nicknames, and live streams.

A code is three groups of letters, with or without its dashes. A nickname belongs to an organisation, which is why its
look-up is another meeting than the code or nickname of the same letters. A live stream has an id of its own.
"""

import re
import unicodedata
from dataclasses import replace

from usher_models.platforms.link import Link
from usher_models.platforms.model import Found, Platform, Rules, no_meeting

_PAGES = (
    "about|accounts?|apps|call|calling|calls|check|download|error|getalink|getstarted|hangouts|help|home|landing|"
    "linkredirect|logout|lookup|privacy|product|room|settings|signin|static|stream|terms|unsupported|whoops"
)
_CODE = r"[a-z]{3}-[a-z]{4}-[a-z]{3}"
_NICKNAME = rf"(?!(?:{_PAGES})\Z)(?![a-z]{{10}}\Z)[a-z0-9][a-z0-9-]{{3,38}}[a-z0-9]"
_BELOW = r"(?:lookup|stream):[a-z0-9](?:[a-z0-9._~-]{0,97}[a-z0-9])?"
_PATTERN = re.compile(rf"{_CODE}|{_NICKNAME}|{_BELOW}")
_EXAMPLE = "abc-defg-hij"


def _canonical(text: str) -> str:
    native_id = _with_plain_dashes(text.lower())
    if re.fullmatch(r"[a-z]{10}", native_id):
        return f"{native_id[:3]}-{native_id[3:7]}-{native_id[7:]}"
    return native_id


def _with_plain_dashes(text: str) -> str:
    """Word processors put longer dashes into a code."""
    return "".join("-" if unicodedata.category(char) == "Pd" else char for char in text)


def _url(native_id: str, _passcode: str | None) -> str:
    if native_id.startswith("stream:"):
        return f"https://stream.meet.google.com/{native_id.replace(':', '/')}"
    return f"https://meet.google.com/{native_id.replace(':', '/')}"


def _parse(link: Link) -> Found | None:
    if link.host in ("meet.google.com", "stream.meet.google.com"):
        return _found(link, _without_account(link.segments))
    if link.host == "tel.meet":
        raise no_meeting(
            f"meetingUrl lists the phone numbers of a Google Meet meeting; its link is like {_url(_EXAMPLE, None)}."
        )
    if link.host == "g.co" and link.segments[:1] == ["meet"]:
        named = _canonical("".join(link.segments[1:2]))
        return _found(link, [named] if re.fullmatch(_CODE, named) else ["lookup", named])
    return None


def _without_account(segments: list[str]) -> list[str]:
    """Without `/u/1`, the account of the browser it was copied from, and `/_meet`."""
    if segments[:1] == ["u"] and segments[1:2] and segments[1].isdigit():
        return segments[2:]
    return segments[1:] if segments[:1] == ["_meet"] else segments


def _found(link: Link, segments: list[str]) -> Found:
    first, rest = "".join(segments[:1]), _without_account(segments[1:])
    native_id = _canonical(first)
    if first in ("lookup", "stream") and len(rest) == 1:
        native_id = f"{first}:{rest[0].lower()}"
    if not _PATTERN.fullmatch(native_id):
        raise no_meeting(
            f"meetingUrl is the page /{first[:40]} of Google Meet, not a meeting; the link of a meeting is like "
            f"{_url(_EXAMPLE, None)}."
        )
    return Found(native_id=native_id, link=link if first.isascii() else replace(link, path=f"/{native_id}"))


RULES = Rules(
    platform=Platform.GOOGLE_MEET,
    example=_EXAMPLE,
    pattern=_PATTERN,
    canonical=_canonical,
    url=_url,
    parse=_parse,
)
