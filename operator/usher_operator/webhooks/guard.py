"""The targets that a webhook may reach: public addresses, and those that the operator of Usher allows.

Usher sends requests to a user's URL from inside the cluster. So Usher resolves the name, requires every address to be
public, and connects to exactly the addresses it checked, which makes DNS rebinding useless. A host that looks like a
number but is not an address in its usual form is rejected, because the operating system would read `2130706433`,
`0x7f.1` and `0177.1` as 127.0.0.1.
"""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from yarl import URL

Address = IPv4Address | IPv6Address

# The assigned part of IPv6, and within it 6to4, which reaches any IPv4 address.
_ASSIGNED = IPv6Network("2000::/3")
_6TO4 = IPv6Network("2002::/16")

# The last label of a name is never a number.
_NUMERIC = re.compile(r"(^|\.)(0x[0-9a-f]*|[0-9]+)\.?$")


class TargetRefused(Exception):
    """The webhook's target is not allowed."""


def is_public(address: Address) -> bool:
    """True if the address belongs to the public internet."""
    if isinstance(address, IPv6Address) and (address not in _ASSIGNED or address in _6TO4):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


class Guard:
    """Checks targets. `allowed`: host globs, addresses and networks that are allowed although they are private."""

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        networks = {entry: _network(entry) for entry in allowed}
        self._networks = [network for network in networks.values() if network is not None]
        self._globs = [entry.lower() for entry, network in networks.items() if network is None]

    def check_url(self, url: str) -> URL:
        """The parsed URL. Raises TargetRefused if its form rules it out."""
        try:
            parsed = URL(url)
            port = parsed.port
        except ValueError as exc:
            raise TargetRefused("The webhook's URL cannot be read.") from exc
        if parsed.scheme not in ("http", "https") or not parsed.host or not port:
            raise TargetRefused("The webhook's URL is not http:// or https:// with a host.")
        self._check_host(parsed.host.lower())
        return parsed

    def _check_host(self, host: str) -> None:
        """Check a literal address, which is not resolved."""
        try:
            address = ip_address(host)
        except ValueError:
            if ":" in host or _NUMERIC.search(host):
                raise TargetRefused("The webhook's host is a number, but not an address in its usual form.") from None
        else:
            self.check_addresses(host, [str(address)])

    def check_addresses(self, host: str, addresses: Sequence[str]) -> None:
        """Raise TargetRefused unless each of a host's addresses is allowed."""
        if not addresses:
            raise TargetRefused("The webhook's host has no address.")
        if any(fnmatchcase(host.lower().rstrip("."), glob) for glob in self._globs):
            return
        for given in addresses:
            address = ip_address(given)
            if not is_public(address) and not any(address in network for network in self._networks):
                raise TargetRefused("The webhook's host has an address that is not public.")


def _network(entry: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(entry, strict=False)
    except ValueError:
        return None
