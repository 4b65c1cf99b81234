"""The platforms that the browser driver knows: one module and one data file each."""

import importlib

from usher_bot.drivers.browser.platforms.site import Guest, Site

NAMES = ("google_meet", "teams", "zoom", "jitsi", "conference")


def find_site(name: str) -> Site:
    """The platform of that name. Only its module and data are loaded."""
    module = importlib.import_module(f"{__name__}.{name}")
    found: Site = module.SITE
    return found


__all__ = ["NAMES", "Guest", "Site", "find_site"]
