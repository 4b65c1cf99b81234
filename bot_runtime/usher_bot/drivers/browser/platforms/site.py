"""What one platform's module offers."""

from collections.abc import Callable
from dataclasses import dataclass

from usher_bot.drivers.browser.signs import PlatformData, load


@dataclass(frozen=True, kw_only=True)
class Guest:
    """Who joins which meeting. `url` may hold a passcode and counts as a secret."""

    url: str
    name: str
    passcode: str | None = None


@dataclass(frozen=True, kw_only=True)
class Site:
    """One platform: its pages as data, where to go, and how long its lobby is worth waiting in."""

    name: str
    data: PlatformData
    address: Callable[[Guest], str]
    lobby_s: float
    plays_tracks: bool
    """Whether what is heard arrives as remote tracks of a peer connection."""


def site(name: str, *, address: Callable[[Guest], str], lobby_s: float, plays_tracks: bool = True) -> Site:
    """A platform whose data file has its name."""
    return Site(name=name, data=load(name), address=address, lobby_s=lobby_s, plays_tracks=plays_tracks)
