"""Ways to die, in a real browser: each noticed in time and called by its name, and what is no death at all."""

import asyncio
import os
import signal
import time

import pytest

from dev.conference.host import Host
from tests.browser.conftest import MakeGuest
from tests.browser.guest import NAME, Guest
from tests.e2e.kit import Record
from usher_models.states import Stage

BOUND_S = 40.0
# `make browser-deaths TIMES=20` lets each death happen that often.
TIMES = range(int(os.environ.get("USHER_TIMES", "1")))
DEATHS = {
    "renderer killed": ("page_crashed", "renderer", signal.SIGKILL),
    "renderer stopped": ("page_hung", "renderer", signal.SIGSTOP),
    "browser killed": ("browser_crashed", "browser", signal.SIGKILL),
    "browser stopped": ("browser_crashed", "browser", signal.SIGSTOP),
    "network stopped": ("network_lost", "network", signal.SIGSTOP),
}
SCRIPTS = {
    "endless loop": (("page_hung",), "setTimeout(() => { for (;;); }, 0)"),
    # A busy machine takes longer to fill the heap than a page may be silent.
    "memory eaten": (
        ("page_crashed", "page_hung"),
        "setTimeout(() => { const held = []; for (;;) held.push(new Array(1e6).fill(Math.random())); }, 0)",
    ),
}


FREEZE_AFTER_LOBBY = """
document.getElementById('root') && setInterval(() => {
  if (document.querySelector('[data-testid="screen.lobby"]')) setTimeout(() => { for (;;); }, 2);
}, 1)
"""


@pytest.fixture(params=["conference"])
def site(request: pytest.FixtureRequest) -> str:
    """Whose pages does not matter here."""
    return str(request.param)


@pytest.fixture
async def inside(host: Host, make_guest: MakeGuest) -> Guest:
    """A bot in the meeting."""
    bot = make_guest()
    await bot.reach(Stage.LOBBY)
    await host.admit(NAME)
    await bot.be_inside()
    await bot.hears()
    return bot


async def noticed(bot: Guest) -> tuple[str, float]:
    """The reason, and after how long."""
    began = time.monotonic()
    outcome = await bot.outcome(within_s=BOUND_S + 5)
    assert not bot.driver.is_alive or outcome.reason == "network_lost"
    return outcome.reason, time.monotonic() - began


@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.parametrize("nth", TIMES)
async def test_a_dead_browser_is_noticed(inside: Guest, death: str, nth: int, record_property: Record) -> None:
    reason, kind, number = DEATHS[death]
    inside.kill(kind, number)
    found, after_s = await noticed(inside)
    record_property(f"{death}, s", round(after_s, 1))
    assert found == reason
    assert after_s < BOUND_S


@pytest.mark.parametrize("death", SCRIPTS)
@pytest.mark.parametrize("nth", TIMES)
async def test_a_page_that_kills_itself_is_noticed(
    inside: Guest, death: str, nth: int, record_property: Record
) -> None:
    reasons, script = SCRIPTS[death]
    await inside.script(script)
    found, after_s = await noticed(inside)
    record_property(f"{death}: {found}, s", round(after_s, 1))
    assert found in reasons
    assert after_s < BOUND_S


@pytest.mark.parametrize("kind", ["gpu", "network"])
async def test_a_part_that_chromium_restarts_is_no_death(inside: Guest, kind: str) -> None:
    inside.kill(kind, signal.SIGKILL)
    await asyncio.sleep(8)
    assert inside.driver.is_alive
    assert inside.driver.participants == 1


@pytest.mark.parametrize("nth", TIMES)
async def test_a_page_that_dies_2_ms_after_the_lobby_appeared_is_noticed(
    host: Host, make_guest: MakeGuest, nth: int
) -> None:
    bot = make_guest()
    await bot.reach(Stage.JOINING)
    await bot.insist(FREEZE_AFTER_LOBBY)
    found, after_s = await noticed(bot)
    assert found == "page_hung"
    assert after_s < BOUND_S


async def test_leaving_a_browser_that_does_not_answer_takes_a_bounded_time(inside: Guest) -> None:
    inside.kill("browser", signal.SIGSTOP)
    began = time.monotonic()
    await inside.leave()
    assert time.monotonic() - began < 20
