"""Which hosts a bot may be sent to: names of the public internet, and what the installation allows besides.

A user's link is a page that a browser opens from inside the cluster. What a name resolves to is not asked here: the
NetworkPolicy of the bots stands behind this. What is refused here are the names that are never meant for the public,
and addresses in any notation, because a browser reads `2130706433`, `0x7f.1` and `0177.1` as 127.0.0.1.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from usher_models.errors import InvalidMeeting

SETTING = "USHER_ALLOWED_PRIVATE_MEETING_HOSTS"

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_TOP_LEVEL = re.compile(r"[a-z]{2,63}|xn--[a-z0-9-]{2,59}")
# A host that ends in a number is an address, whatever stands before.
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
# `default` is the namespace that a pod's search path makes `kubernetes.default` reach.
_INTERNAL = frozenset(
    {"arpa", "corp", "default", "home", "internal", "intranet", "invalid", "lan"}
    | {"local", "localdomain", "localhost", "private", "svc", "test"}
)
# Public names under which anyone reaches any address, 127.0.0.1 and 169.254.169.254 among them.
_ANY_ADDRESS = ("nip.io", "sslip.io", "xip.io", "localtest.me", "lvh.me")
# IDNA 2003 and 2008, Python and browsers, disagree about where these lead.
_AMBIGUOUS = frozenset("ßς\u200c\u200d")


def canonical_host(host: str) -> str | None:
    """The host in lower case and ASCII, without a final dot; None when no name can look like that."""
    if _AMBIGUOUS & set(host):
        return None
    try:
        return host.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError:
        return None


def check_host(host: str, *, allowed: Sequence[str], field: str) -> None:
    """Raise InvalidMeeting unless a bot may go to that canonical host."""
    if _NAME.fullmatch(host) and is_allowed(host, allowed):
        return
    last = host.rpartition(".")[2]
    if not _NAME.fullmatch(host) or _NUMBER.fullmatch(last):
        raise InvalidMeeting(f"{field} must name a public host, not an address.", field=field)
    if "." not in host or last in _INTERNAL or not _TOP_LEVEL.fullmatch(last) or _under(host, _ANY_ADDRESS):
        raise InvalidMeeting(
            f"{field} must name a public host; {host!r} is one of a cluster or a private network. If bots shall go "
            f"there, the operator of this installation adds it to {SETTING}.",
            field=field,
        )


def is_allowed(host: str, globs: Sequence[str]) -> bool:
    """True if one of `globs` is that host; `*` and `?` stand for characters of one label."""
    return any(_matcher(glob).fullmatch(host) for glob in globs)


@lru_cache(maxsize=256)
def _matcher(glob: str) -> re.Pattern[str]:
    wild = {"*": r"[^./]*", "?": r"[^./]"}
    return re.compile("".join(wild.get(char) or re.escape(char) for char in glob.strip().lower().removesuffix(".")))


def _under(host: str, domains: Sequence[str]) -> bool:
    return any(is_under(host, domain) for domain in domains)


def is_under(host: str, domain: str) -> bool:
    """True if `host` is `domain` or a name below it."""
    return host == domain or host.endswith(f".{domain}")
