"""Ways to die, in a real browser: each noticed in time and called by its name, and what is no death at all.

`make browser-deaths` lets each happen many times, and makes a table of what these tests note about it.
"""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from dev.conference.host import Host
from tests.browser.conftest import MakeGuest
from tests.browser.guest import NAME, Guest
from tests.e2e.kit import Record
from usher_models.states import Stage

BOUND_S = 40.0
# `make browser-deaths TIMES=20` lets each death happen that often.
TIMES = range(int(os.environ.get("USHER_TIMES", "1")))
FREEZE_AFTER_LOBBY = """
document.getElementById('root') && setInterval(() => {
  if (document.querySelector('[data-testid="screen.lobby"]')) setTimeout(() => { for (;;); }, 2);
}, 1)
"""
EAT = "setTimeout(() => { const held = []; for (;;) held.push(new Array(1e6).fill(Math.random())); }, 0)"


@dataclass(frozen=True)
class Death:
    """One way to die, the reason that the bot must give, and within which time."""

    reason: str
    strike: Callable[[Guest], Awaitable[None]]
    within_s: float


def by_signal(kind: str, number: signal.Signals) -> Callable[[Guest], Awaitable[None]]:
    """A signal to every process of that kind."""

    async def strike(bot: Guest) -> None:
        bot.kill(kind, number)

    return strike


def by_script(script: str) -> Callable[[Guest], Awaitable[None]]:
    """What a page may do to itself."""

    async def strike(bot: Guest) -> None:
        await bot.script(script)

    return strike


async def crash(bot: Guest) -> None:
    """The way of Chromium's own to crash a tab."""
    await bot.crash()


async def close(bot: Guest) -> None:
    """The tab goes away under a browser that lives."""
    await bot.close_tab()


DEATHS = {
    "renderer killed": Death("page_crashed", by_signal("renderer", signal.SIGKILL), 5),
    "tab crashed": Death("page_crashed", crash, 5),
    "tab closed": Death("page_crashed", close, 5),
    "tab's memory eaten": Death("page_crashed", by_script(EAT), BOUND_S),
    "renderer stopped": Death("page_hung", by_signal("renderer", signal.SIGSTOP), 30),
    "endless loop": Death("page_hung", by_script("setTimeout(() => { for (;;); }, 0)"), 30),
    "browser killed": Death("browser_crashed", by_signal("browser", signal.SIGKILL), 5),
    "browser stopped": Death("browser_crashed", by_signal("browser", signal.SIGSTOP), 30),
    "network stopped": Death("network_lost", by_signal("network", signal.SIGSTOP), 30),
}


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


async def notice(bot: Guest, name: str, *, reason: str, within_s: float, record_property: Record) -> None:
    """Wait for the end, note it, and hold it to what it must be."""
    for what, value in (("death", name), ("expected", reason), ("within_s", within_s)):
        record_property(what, value)
    began = time.monotonic()
    outcome = await bot.outcome(within_s=BOUND_S + 5)
    after_s = time.monotonic() - began
    record_property("reason", str(outcome.reason))
    record_property("after_s", round(after_s, 2))
    assert outcome.reason == reason
    assert after_s < BOUND_S
    assert not bot.driver.is_alive or outcome.reason == "network_lost"


@pytest.mark.parametrize("name", DEATHS)
@pytest.mark.parametrize("nth", TIMES)
async def test_a_death_is_noticed_and_called_by_its_name(
    inside: Guest, name: str, nth: int, record_property: Record
) -> None:
    death = DEATHS[name]
    await death.strike(inside)
    await notice(inside, name, reason=death.reason, within_s=death.within_s, record_property=record_property)


@pytest.mark.parametrize("kind", ["gpu", "network"])
async def test_a_part_that_chromium_restarts_is_no_death(inside: Guest, kind: str) -> None:
    inside.kill(kind, signal.SIGKILL)
    await asyncio.sleep(8)
    assert inside.driver.is_alive
    assert inside.driver.participants == 1


@pytest.mark.parametrize("nth", TIMES)
async def test_a_page_that_dies_2_ms_after_the_lobby_appeared_is_noticed(
    host: Host, make_guest: MakeGuest, nth: int, record_property: Record
) -> None:
    bot = make_guest()
    await bot.reach(Stage.JOINING)
    await bot.insist(FREEZE_AFTER_LOBBY)
    name = "page dead 2 ms after the lobby appeared"
    await notice(bot, name, reason="page_hung", within_s=BOUND_S, record_property=record_property)


async def test_leaving_a_browser_that_does_not_answer_takes_a_bounded_time(inside: Guest) -> None:
    inside.kill("browser", signal.SIGSTOP)
    began = time.monotonic()
    await inside.leave()
    assert time.monotonic() - began < 20
