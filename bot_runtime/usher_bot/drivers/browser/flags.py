"""Which flags Chromium gets: those that every bot needs, and those that a class may add."""

import re
from collections.abc import Sequence

# No certificate flags and no --disable-web-security: bots that had them were turned away by platforms.
ALWAYS = (
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-sync",
    "--lang=en-US",
    "--no-default-browser-check",
    "--no-first-run",
    # A microphone that plays a silent file and no camera at all: nothing a page does can make the bot heard or seen.
    "--use-fake-device-for-media-stream=device-count=0",
    "--use-fake-ui-for-media-stream",
)
_ADDABLE = (
    r"--disable-blink-features=AutomationControlled",
    r"--disable-features=[A-Za-z0-9,_-]+",
    r"--enable-features=[A-Za-z0-9,_-]+",
    r"--force-device-scale-factor=[0-9.]+",
    r"--host-resolver-rules=[A-Za-z0-9 ,.:*_~-]+",
    r"--ignore-certificate-errors-spki-list=[A-Za-z0-9+/=,]+",
    r"--js-flags=--max-old-space-size=[0-9]+",
    r"--proxy-bypass-list=[^ ]+",
    r"--proxy-server=[^ ]+",
    r"--unsafely-treat-insecure-origin-as-secure=https?://[^ ]+",
    r"--user-agent=.+",
    r"--window-size=[0-9]+,[0-9]+",
)
_ALLOWED = re.compile("|".join(_ADDABLE))


def check_added(flags: Sequence[str]) -> Sequence[str]:
    """The flags, if a class may add them. None of these weakens what keeps one page from another, or from the pod."""
    for flag in flags:
        if not _ALLOWED.fullmatch(flag):
            raise ValueError(f"the flag {flag.partition('=')[0]} is not among those that may be added")
    return flags
