"""Puts the browser driver together from the bot's settings."""

import logging
import shutil

from usher_bot.clock import Clock
from usher_bot.drivers.browser.chromium.browser import Chromium, Launch
from usher_bot.drivers.browser.driver import BrowserDriver
from usher_bot.drivers.browser.options import BrowserOptions
from usher_bot.drivers.browser.platforms import find_site
from usher_bot.drivers.browser.sound.played import Played
from usher_bot.drivers.browser.sound.server import PROGRAM
from usher_bot.drivers.browser.sound.source import Source
from usher_bot.drivers.browser.sound.tracks import Tracks
from usher_bot.settings import Settings

logger = logging.getLogger(__name__)


def browser_driver(settings: Settings, *, clock: Clock) -> BrowserDriver:
    """A driver with a browser of its own."""
    options = BrowserOptions.model_validate(settings.driver_options)
    source = choose_source(options, platform=str(settings.platform))
    launch = Launch(
        program=options.chromium,
        headless=options.headless,
        sandbox=options.sandbox,
        flags=options.flags,
        locale=options.locale,
        sound=source.environment,
    )
    return BrowserDriver(options, settings=settings, browser=Chromium(launch), source=source, clock=clock)


def choose_source(options: BrowserOptions, *, platform: str) -> Source:
    """What the bot listens to: a sound server only where someone wants to hear a page that may play without tracks."""
    if options.sound == "server" or (options.sound == "auto" and _needs_server(options, platform)):
        return Played(slice_s=options.slice_s)
    return Tracks(slice_s=options.slice_s, bits=options.bits)


def _needs_server(options: BrowserOptions, platform: str) -> bool:
    if find_site(options.site_of(platform)).plays_tracks or not (options.sinks or options.silence_s):
        return False
    if shutil.which(PROGRAM) is None:
        logger.warning(
            "There is no %s: only remote tracks are heard.",
            PROGRAM,
            extra={"action": "sound_server_absent"},
        )
        return False
    return True
