"""Zoom's web client: a link to a meeting is turned into the client's own address, which needs no launcher."""

import re
from urllib.parse import parse_qsl, urlencode, urlsplit

from usher_bot.drivers.browser.platforms.site import Guest, site

_NUMBER = re.compile(r"/(?:j|s|wc)/(\d{9,11})")


def address(guest: Guest) -> str:
    """The web client's page; a link of another shape, such as an event's, is left as it is."""
    parts = urlsplit(guest.url)
    host = parts.hostname or ""
    number = _NUMBER.match(parts.path)
    if number is None or not (host == "zoom.us" or host.endswith(".zoom.us")) or host == "events.zoom.us":
        return guest.url
    given = dict(parse_qsl(parts.query))
    # All that the link carries, such as a registrant's token, is what lets the bot in.
    query = urlencode({**given, "pwd": guest.passcode} if guest.passcode else given)
    return f"https://app.zoom.us/wc/{number[1]}/join{'?' if query else ''}{query}"


# Its client may decode sound by itself, in WebAssembly.
SITE = site("zoom", address=address, lobby_s=900, plays_tracks=False)
