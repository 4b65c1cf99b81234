"""Zoom's web client: a link to a meeting is turned into the client's own address, which needs no launcher."""

import re
from urllib.parse import parse_qs, urlencode, urlsplit

from usher_bot.drivers.browser.platforms.site import Guest, site

_NUMBER = re.compile(r"/(?:j|s|wc)/(\d{9,11})")


def address(guest: Guest) -> str:
    """The web client's page; a link of another shape, such as an event's, is left as it is."""
    parts = urlsplit(guest.url)
    host = parts.hostname or ""
    number = _NUMBER.match(parts.path)
    if number is None or not (host == "zoom.us" or host.endswith(".zoom.us")) or host == "events.zoom.us":
        return guest.url
    passcode = guest.passcode or parse_qs(parts.query).get("pwd", [""])[0]
    query = f"?{urlencode({'pwd': passcode})}" if passcode else ""
    return f"https://app.zoom.us/wc/{number[1]}/join{query}"


SITE = site("zoom", address=address, lobby_s=900)
