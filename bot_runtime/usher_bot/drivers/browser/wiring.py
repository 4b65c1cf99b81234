"""Puts the browser driver together from the bot's settings."""

from usher_bot.clock import Clock
from usher_bot.drivers.browser.chromium.browser import Chromium, Launch
from usher_bot.drivers.browser.driver import BrowserDriver
from usher_bot.drivers.browser.options import BrowserOptions
from usher_bot.settings import Settings


def browser_driver(settings: Settings, *, clock: Clock) -> BrowserDriver:
    """A driver with a browser of its own."""
    options = BrowserOptions.model_validate(settings.driver_options)
    launch = Launch(
        program=options.chromium,
        headless=options.headless,
        sandbox=options.sandbox,
        flags=options.flags,
        locale=options.locale,
    )
    return BrowserDriver(options, settings=settings, browser=Chromium(launch), clock=clock)
