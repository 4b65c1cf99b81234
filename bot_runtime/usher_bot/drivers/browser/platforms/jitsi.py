"""Jitsi Meet, on any host: the bot's wishes go into the fragment, where the page reads its settings."""

import json
from urllib.parse import quote

from usher_bot.drivers.browser.platforms.site import Guest, site


def address(guest: Guest) -> str:
    """The room with the microphone and the camera off, and the name for pages without a prejoin screen."""
    wishes = {
        "config.startWithAudioMuted": True,
        "config.startWithVideoMuted": True,
        "config.disableDeepLinking": True,
        "userInfo.displayName": guest.name,
    }
    fragment = "&".join(f"{key}={quote(json.dumps(value), safe='')}" for key, value in wishes.items())
    return f"{guest.url.partition('#')[0]}#{fragment}"


SITE = site("jitsi", address=address, lobby_s=900)
