"""The test conference's own page, by which the driver is tested against a real media server."""

from usher_bot.drivers.browser.platforms.site import Guest, site


def address(guest: Guest) -> str:
    """The page as it is."""
    return guest.url


SITE = site("conference", address=address, lobby_s=900)
