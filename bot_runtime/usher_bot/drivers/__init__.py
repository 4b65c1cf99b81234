"""The registry of drivers: a name in the settings becomes a driver.

A driver's module is imported when it is chosen, so that a bot pays only for the one it runs.
"""

import os

from pydantic import BaseModel, ValidationError

from usher_bot.clock import Clock
from usher_bot.drivers.base import Driver, Faults
from usher_bot.errors import InvalidSettings
from usher_bot.settings import Settings


def check_options(settings: Settings) -> None:
    """Raise InvalidSettings, one sentence per problem, unless the driver understands its options."""
    try:
        _options_model(settings).model_validate(settings.driver_options)
    except ValidationError as exc:
        problems = [
            f"USHER_DRIVER_OPTIONS: {'.'.join(map(str, error['loc'])) or 'the whole'} is wrong; {error['msg']}."
            for error in exc.errors(include_url=False, include_input=False)
        ]
        raise InvalidSettings(problems) from None


def build_driver(settings: Settings, *, clock: Clock, faults: Faults) -> Driver:
    """The driver that the settings name; its options were checked before."""
    if settings.driver == "exec":
        from usher_bot.drivers.exec.driver import ExecDriver
        from usher_models.exec_options import ExecOptions

        options = ExecOptions.model_validate(settings.driver_options)
        return ExecDriver(options, settings=settings, clock=clock, is_init=os.getpid() == 1)
    if settings.driver == "browser":
        from usher_bot.drivers.browser.wiring import browser_driver

        return browser_driver(settings, clock=clock)
    from usher_bot.drivers.simulated import SimulatedDriver, SimulatedOptions

    return SimulatedDriver(SimulatedOptions.model_validate(settings.driver_options), clock=clock, faults=faults)


def _options_model(settings: Settings) -> type[BaseModel]:
    if settings.driver == "exec":
        from usher_models.exec_options import ExecOptions

        return ExecOptions
    if settings.driver == "browser":
        from usher_bot.drivers.browser.options import BrowserOptions

        return BrowserOptions
    from usher_bot.drivers.simulated import SimulatedOptions

    return SimulatedOptions
