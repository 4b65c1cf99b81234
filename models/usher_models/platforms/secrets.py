"""What in a meeting's link admits a guest: it is stored, given to the bot, and shown to nobody."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

# Zoom: pwd, tk, wpk, zak, obf. Teams: p. Jitsi: jwt. The rest is what older rows contain.
SECRETS = frozenset(
    {"pwd", "p", "passcode", "password", "tk", "wpk", "zak", "obf", "jwt", "token", "access_token", "secret"}
)
# A secret of a link that is a parameter of another one, as in the launcher of Teams.
_INNER = re.compile(rf"(?:^|[?&#;])(?:{'|'.join(sorted(SECRETS))})=([^&#]*)", re.IGNORECASE)


def without_secrets(url: str) -> str:
    """The link without passcodes and tokens; one that cannot be parsed, without everything behind its path."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.partition("?")[0].partition("#")[0]
    given = parse_qsl(parts.query, keep_blank_values=True)
    kept = [(name, value) for name, value in given if _harmless(name, value)]
    query = parts.query if len(kept) == len(given) else urlencode(kept)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, _fragment(parts.fragment)))


def secret_values(url: str) -> list[str]:
    """Every passcode and token of the link, as they stand there and decoded: for those who take them out of texts."""
    return sorted({form for value in _values(url) for form in (value, unquote(value)) if form})


def _values(url: str) -> Iterator[str]:
    text = url
    for _ in range(3):
        yield from _INNER.findall(text)
        text = unquote(text)


def _harmless(name: str, value: str) -> bool:
    return name.lower() not in SECRETS and not _INNER.search(unquote(value))


def _fragment(fragment: str) -> str:
    """A fragment is kept unless it has a secret among its settings, as in Jitsi's `#jwt=…&config.x=…`."""
    return "" if _INNER.search(unquote(fragment)) else fragment
