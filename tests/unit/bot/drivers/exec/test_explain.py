"""What the exec driver says of a program that does not report `joined`."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.bot.fake_time import FakeClock
from tests.unit.bot.harness import some_settings
from usher_bot.drivers.base import Explains
from usher_bot.drivers.exec.driver import EXPLAIN_AFTER_S, ExecDriver
from usher_models.exec_options import ExecOptions


@pytest.fixture
async def driver(clock: FakeClock, token_file: Path) -> AsyncIterator[ExecDriver]:
    """A driver whose program runs and reports nothing."""
    options = ExecOptions(command=["sleep", "60"])
    driver = ExecDriver(options, settings=some_settings(token_file), clock=clock, environment={"PATH": "/bin:/usr/bin"})
    joining = asyncio.ensure_future(driver.join(lambda _stage: None))
    while not driver.is_running:  # noqa: ASYNC110 -- the program starts in a task of its own
        await asyncio.sleep(0.001)
    yield driver
    await driver.leave()
    await asyncio.gather(joining, return_exceptions=True)


async def test_a_program_that_reports_nothing_is_explained_after_a_while(driver: ExecDriver, clock: FakeClock) -> None:
    assert isinstance(driver, Explains)
    await clock.advance(EXPLAIN_AFTER_S - 1)
    assert driver.explain() is None
    await clock.advance(1)
    expected = "The bot's program runs and has not reported `joined`; it has sent no callback, and started 60 s ago."
    assert driver.explain() == expected


async def test_the_last_callback_is_named(driver: ExecDriver, clock: FakeClock) -> None:
    driver.callbacks.receive("status_change", {"status": "awaiting_admission"})
    await clock.advance(90)
    assert "its last callback was 'awaiting_admission', 90 s ago" in (driver.explain() or "")


async def test_a_program_in_its_meeting_needs_no_explanation(driver: ExecDriver, clock: FakeClock) -> None:
    driver.callbacks.receive("joined", {})
    await clock.advance(900)
    assert driver.explain() is None
