"""Meeting links as they may be shown: without what admits a guest."""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

# Zoom: pwd, tk, zak, obf. Teams: p. Jitsi: jwt. The rest is what older rows contain.
SECRETS = frozenset({"pwd", "p", "passcode", "password", "tk", "wpk", "zak", "obf", "jwt", "token"})


def without_secrets(url: str) -> str:
    """The link without passcodes and tokens; one that cannot be parsed, without everything behind its path."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.partition("?")[0].partition("#")[0]
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if _harmless(name)]
    query = parts.query if len(kept) == len(parse_qsl(parts.query, keep_blank_values=True)) else urlencode(kept)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, _fragment(parts.fragment)))


def _harmless(name: str) -> bool:
    return name.lower() not in SECRETS


def _fragment(fragment: str) -> str:
    """A fragment is kept unless it has a secret among its settings, as in Jitsi's `#jwt=…&config.x=…`."""
    names = [part.partition("=")[0] for part in fragment.replace("?", "&").split("&")]
    return fragment if all(map(_harmless, names)) else ""
