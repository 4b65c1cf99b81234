"""A link in parts, in one spelling: https, a lower-case host, and nothing that a browser would have to encode."""

import re
import unicodedata
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, quote, unquote, unquote_plus, urlunsplit

# What a browser leaves as it is; `%` too, because a link arrives encoded.
_SAFE = "!#$%&'()*+,/:;=?@[]^_{|}~"

# A space, a line's end or a bracket behind a link, which the program that made a link of the text encoded.
_ENCODED_BEHIND = re.compile(r"(?:%20|%09|%0A|%0D|%3E|%C2%A0|%E2%80%8B)+\Z", re.IGNORECASE)


def is_typed(text: str) -> bool:
    """True if it has no control character and no half of one: neither is stored by Postgres or fits into a URL."""
    return not any(unicodedata.category(char) in ("Cc", "Cs") for char in text)


def without_separators(number: str) -> str:
    """A number without the spaces, dashes and dots that people group its digits with."""
    return "".join(char for char in number if not (char in " ." or unicodedata.category(char) in ("Pd", "Zs")))


def encoded(text: str) -> str:
    """`text` with everything percent-encoded that a URL cannot hold as it is."""
    return quote(text, safe=_SAFE)


def quoted(text: str) -> str:
    """`text` as one value or path segment of a URL. A full stop at its end would be taken for punctuation."""
    done = quote(text, safe="")
    return f"{done[:-1]}%2E" if done.endswith(".") else done


@dataclass(frozen=True, kw_only=True)
class Link:
    """One https link."""

    host: str
    port: int | None = None
    path: str = ""
    query: str = ""
    fragment: str = ""

    @property
    def url(self) -> str:
        """The link as text."""
        place = self.host if self.port is None else f"{self.host}:{self.port}"
        return urlunsplit(("https", place, self.path, self.query, self.fragment))

    @property
    def segments(self) -> list[str]:
        """The parts of the path, decoded."""
        return [unquote(segment) for segment in self.path.split("/") if segment]

    def without_encoded_end(self) -> "Link":
        """The same link without what stood behind its path. A passcode, behind that, may end in any way."""
        return replace(self, path=_ENCODED_BEHIND.sub("", self.path))

    def parameter(self, name: str) -> str | None:
        """A parameter of the query; None when it is missing or empty."""
        return parse_qs(self.query).get(name, [None])[0]

    def with_parameter(self, name: str, value: str) -> "Link":
        """The same link with that parameter, once."""
        others = [part for part in self.query.split("&") if part and unquote_plus(part.partition("=")[0]) != name]
        return replace(self, query="&".join([*others, f"{name}={quoted(value)}"]))

    def without_parameter(self, name: str) -> "Link":
        """The same link without that parameter."""
        others = [part for part in self.query.split("&") if unquote_plus(part.partition("=")[0]) != name]
        return replace(self, query="&".join(others))
