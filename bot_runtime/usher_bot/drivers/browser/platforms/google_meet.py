"""Google Meet, as an unknown guest. The page is asked for in English, whatever the account or country would give."""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from usher_bot.drivers.browser.platforms.site import Guest, site


def address(guest: Guest) -> str:
    """The meeting with the language pinned."""
    parts = urlsplit(guest.url)
    query = {**dict(parse_qsl(parts.query)), "hl": "en"}
    return urlunsplit(parts._replace(query=urlencode(query)))


# Meet gives up by itself after about ten minutes.
SITE = site("google_meet", address=address, lobby_s=600)
