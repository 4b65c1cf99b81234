"""`usher-bot`: check the settings, or run one bot on an event loop and make an exit code of its outcome."""

import asyncio
import logging
import sys
from collections.abc import Callable

import aiohttp

from usher_bot.clock import SystemClock
from usher_bot.drivers import check_options
from usher_bot.errors import InvalidSettings
from usher_bot.exit_codes import ExitCode
from usher_bot.lifecycle import Lifecycle
from usher_bot.logs import configure_logging
from usher_bot.process import Signals, exit_at_the_latest, ignore_children, write_termination_message
from usher_bot.redaction import Redactor
from usher_bot.settings import Settings, load_settings
from usher_bot.wiring import assemble

# What the event loop may take to shut down, and what a termination may take beyond its grace.
SHUTDOWN_S = 1.0
TERMINATION_SLACK_S = 15.0

logger = logging.getLogger(__name__)


def check() -> int:
    """Print all errors of the settings at once."""
    return ExitCode.DONE if _settings() else ExitCode.FAILED


def run(signals: Signals) -> int:
    """Run one bot."""
    settings = _settings()
    if settings is None:
        return ExitCode.FAILED
    redactor = Redactor(settings.secrets)
    configure_logging(settings, redactor=redactor)
    return asyncio.run(run_bot(settings, signals=signals, redactor=redactor))


def _settings() -> Settings | None:
    try:
        settings = load_settings()
        check_options(settings)
    except InvalidSettings as exc:
        sys.stderr.write(f"{exc}\n")
        return None
    return settings


async def run_bot(settings: Settings, *, signals: Signals, redactor: Redactor) -> int:
    """Run one bot to its end. After it nothing delays the exit for long."""
    code, sentence = int(ExitCode.FAILED), "The bot failed unexpectedly."
    try:
        async with aiohttp.ClientSession() as session:
            lifecycle = assemble(settings, session=session, redactor=redactor, clock=SystemClock())
            signals.hand_to(_terminator(lifecycle, grace_s=settings.leave_grace_s))
            outcome = await lifecycle.run()
            code, sentence = outcome.exit_code, redactor.clean(outcome.message)
    except Exception:
        logger.exception("The bot failed unexpectedly.", extra={"action": "failed"})
    signals.ignore()
    ignore_children()
    exit_at_the_latest(code, after_s=SHUTDOWN_S)
    write_termination_message(settings.termination_log, sentence)
    logger.info("The bot exits with code %d.", code, extra={"action": "exiting", "exit_code": code})
    return code


def _terminator(lifecycle: Lifecycle, *, grace_s: float) -> Callable[[], None]:
    """The handler of a signal: it wakes the event loop, because a Python signal handler alone does not."""
    loop = asyncio.get_running_loop()

    def terminate() -> None:
        if lifecycle.terminate():
            exit_at_the_latest(ExitCode.FAILED, after_s=grace_s + TERMINATION_SLACK_S)

    def wake() -> None:
        loop.call_soon_threadsafe(terminate)

    return wake
