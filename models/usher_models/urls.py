"""Which URLs both sides take as the address of a server: what the operator accepts, no bot refuses."""

from urllib.parse import urlsplit


def is_server_url(value: str, schemes: tuple[str, ...]) -> bool:
    """True if it has one of the schemes, a host, and no port that cannot be one."""
    try:
        parts = urlsplit(value)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
