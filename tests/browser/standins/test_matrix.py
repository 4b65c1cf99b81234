"""Every platform, state and trap in a real Chromium, against stand-ins that play them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser

from dev.conference.settings import Settings
from tests.browser.shared import SharedBrowser, a_shared_chromium
from tests.browser.standins.cases import Case, all_cases
from tests.unit.bot.harness import some_settings
from usher_bot.clock import SystemClock
from usher_bot.drivers.base import NotJoined
from usher_bot.drivers.browser.driver import BrowserDriver
from usher_bot.drivers.browser.options import BrowserOptions
from usher_bot.drivers.browser.sound.tracks import Tracks
from usher_bot.exit_codes import Outcome

STAYS_S = 2.0

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def chromium(conference: Settings, pin: str) -> AsyncIterator[Browser]:
    """A browser for which the platforms' hosts are the stand-ins."""
    async with a_shared_chromium(f"--ignore-certificate-errors-spki-list={pin}", conference.stand_ins) as browser:
        yield browser


@pytest.mark.parametrize("case", all_cases(), ids=str)
async def test_a_state_is_called_by_its_name(
    case: Case, chromium: Browser, conference: Settings, tmp_path: Path
) -> None:
    url = case.url()
    await set_scenario(conference, url, {**case.scenario, "traps": list(case.traps), "people": ["Host"]})
    assert await visit(case, url, chromium, tmp_path) == case.expected


async def visit(case: Case, url: str, chromium: Browser, folder: Path) -> str:
    """What the bot makes of the case: a reason, or "inside" if it is still there after a while."""
    settings = some_settings(folder, platform=case.platform, meeting_url=url, passcode=case.passcode)
    options = BrowserOptions.model_validate({"evidence": folder, **case.limits})
    source = Tracks(slice_s=options.slice_s, bits=options.bits)
    browser = SharedBrowser(chromium)
    driver = BrowserDriver(options, settings=settings, browser=browser, source=source, clock=SystemClock())
    try:
        await driver.join(lambda stage: None)
        return (await stay(driver, case)).reason
    except NotJoined as exc:
        return exc.outcome.reason
    except TimeoutError:
        return "inside"
    finally:
        await driver.leave()


async def stay(driver: BrowserDriver, case: Case) -> Outcome:
    """How the stay ends. Raises TimeoutError if nothing ends it."""
    patience_s = STAYS_S if case.expected == "inside" else 25.0
    async with asyncio.timeout(patience_s):
        return await driver.run()


async def set_scenario(conference: Settings, url: str, scenario: dict[str, object]) -> None:
    """Say what the stand-in plays in that meeting."""
    room = url.partition("?")[0].rpartition("/")[2]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as session:
        api = f"https://{conference.host}:{conference.stand_ins_port}/api/{room}/set_scenario"
        async with session.post(api, json=scenario) as answer:
            answer.raise_for_status()
