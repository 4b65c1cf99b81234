"""Microsoft Teams in the browser, as a guest."""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from usher_bot.drivers.browser.platforms.site import Guest, site

# They spare the launcher's question whether to open the app, on pages that still ask it.
STAY_IN_THE_BROWSER = {"msLaunch": "false", "type": "meetup-join", "directDl": "true", "enableMobilePage": "true"}


def address(guest: Guest) -> str:
    """The link with everything it has, the passcode `p` above all, and the wish to stay in the browser."""
    parts = urlsplit(guest.url)
    query = {**dict(parse_qsl(parts.query)), **STAY_IN_THE_BROWSER}
    if guest.passcode and parts.path.startswith("/meet/"):
        query.setdefault("p", guest.passcode)
    return urlunsplit(parts._replace(query=urlencode(query)))


SITE = site("teams", address=address, lobby_s=900)
