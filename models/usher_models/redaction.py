"""Keeps secrets out of what people read: logs, reports, evidence.

`Redactor` knows the values. Tokens rotate, so they are recognised by their shape; everything else by its value. What
others wrote may hold secrets that nobody here knows: `scrub` recognises those by what stands before them.
"""

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus

from usher_models.platforms.secrets import SECRETS

_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_SHORTEST = 4
MASK = "***"


class Redactor:
    """Replaces what must not be read."""

    def __init__(self, secrets: Iterable[str]) -> None:
        longest_first = sorted({secret for secret in secrets if len(secret) >= _SHORTEST}, key=len, reverse=True)
        self._values = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def clean(self, text: str) -> str:
        """The text with every secret replaced."""
        text = _TOKEN.sub(MASK, text)
        return self._values.sub(MASK, text) if self._values else text

    def scrub(self, text: str) -> str:
        """The same for words of others, which may hold secrets that are not known."""
        text = self.clean(text)
        for pattern, replacement in _SHAPES:
            text = pattern.sub(replacement, text)
        return text


def spellings(secret: str) -> set[str]:
    """How a secret may be written: as it is, in a URL, inside a JSON string."""
    return {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}


def scrubbed(value: Any, redactor: Redactor) -> Any:
    """A JSON value with every string in it scrubbed."""
    if isinstance(value, str):
        return redactor.scrub(value)
    if isinstance(value, dict):
        return {redactor.scrub(str(key)): _scrubbed_member(key, each, redactor) for key, each in value.items()}
    return [scrubbed(each, redactor) for each in value] if isinstance(value, list) else value


def _scrubbed_member(key: object, value: Any, redactor: Redactor) -> Any:
    """A member whose name says that it is a secret is masked, whatever it looks like."""
    if isinstance(value, str | int | float) and not isinstance(value, bool) and _NAME_ALONE.fullmatch(str(key)):
        return MASK
    return scrubbed(value, redactor)


_NAMES = (
    "passcode|password|passwd|passphrase|pwd|secret|token|jwt|api[_-]?key|access[_-]?key|private[_-]?key|credentials?"
    "|signature|session[_-]?id"
)
_NAME_ALONE = re.compile(rf"[\w.-]{{0,40}}(?:{_NAMES}|authorization|cookie)", re.IGNORECASE)
_PARAMETERS = "|".join(sorted(SECRETS | {"sig", "key", "api_key", "apikey", "signature", "code"}))
# A value: in quotes, in the escaped quotes of a string inside a JSON string, or up to what ends a word.
_VALUE = r"""(?:"(?:[^"\\]|\\.)*"|'[^'\r\n]*'|\\"(?:(?!\\").)*\\"|[\\"']*[^\s&"'\\,;)}\]]+)"""


def _shape(pattern: str, replacement: str = rf"\g<1>{MASK}", flags: int = 0) -> tuple[re.Pattern[str], str]:
    return re.compile(pattern, re.IGNORECASE | flags), replacement


_SHAPES = (
    _shape(r"(-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----).*?(?:-----END [A-Z ]{0,40}-----|\Z)", flags=re.DOTALL),
    # A whole header: its value has spaces.
    _shape(r"""((?:authorization|cookie|x-[a-z-]{0,30}key)[\\"']*\s*[:=]\s*[\\"']*)[^"'\\\r\n]+"""),
    _shape(r"(\b(?:bearer|basic)\s+)[a-z0-9._~+/=-]{8,}"),
    _shape(r"""(://)[^\s/?#@"'<>]{1,500}@""", rf"\g<1>{MASK}@"),
    _shape(rf"""((?:[?&#;]|%3f|%26|%23|%253f|%2526)(?:{_PARAMETERS})(?:=|%3d|%253d))[^\s&#"'<>\\%]+"""),
    _shape(rf"""((?:{_NAMES})[\\"']*\s*[:=]\s*){_VALUE}"""),
    # As people and pages say it: "the passcode is 4711".
    _shape(r"(\b(?:passcode|password|pin)\b(?:\s+(?:is|was))?\s+)(?=\S*\d)\S{4,}"),
    # Keys of known makers; Usher's own names begin like its keys, and are shorter.
    (re.compile(r"(\busher_)[A-Za-z0-9_-]{40,}"), rf"\g<1>{MASK}"),
    (re.compile(r"(\b(?:vxa_|gh[pousr]_|xox[abprs]-|sk-|AKIA|AIza))[A-Za-z0-9_-]{16,}"), rf"\g<1>{MASK}"),
)
