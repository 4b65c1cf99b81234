"""A bot cannot look alive when its page is dead."""

import pytest

from tests.unit.bot.browser.conftest import Visit
from tests.unit.bot.browser.fake_page import INSIDE, LOBBY
from usher_bot.drivers.browser.page import Death

BOUND_S = 40.0


@pytest.fixture(params=[LOBBY, INSIDE], ids=["lobby", "inside"])
async def waiting(visit: Visit, request: pytest.FixtureRequest) -> Visit:
    """A bot in the lobby, and one in the meeting."""
    visit.page.shows = request.param
    visit.page.counters = [{"state": "connected"}]
    await visit.begin()
    await visit.clock.advance(10)
    assert visit.driver.is_alive
    return visit


@pytest.mark.parametrize("death", [Death.PAGE_CRASHED, Death.BROWSER_CRASHED])
async def test_an_event_of_the_browser_s_ends_the_visit_at_once(waiting: Visit, death: Death) -> None:
    waiting.page.death.set_result(death)
    await waiting.clock.settle()
    assert waiting.is_over
    assert not waiting.driver.is_alive
    outcome = await waiting.end()
    assert (outcome.reason, outcome.exit_code) == (death, 5)


@pytest.mark.parametrize(("browser_lives", "reason"), [(True, "page_hung"), (False, "browser_crashed")])
async def test_a_page_that_does_not_answer_ends_the_visit(waiting: Visit, browser_lives: bool, reason: str) -> None:
    waiting.page.silent, waiting.page.browser_lives = True, browser_lives
    began = waiting.clock.now()
    assert (await waiting.end()).reason == reason
    assert waiting.clock.now() - began < BOUND_S


@pytest.mark.parametrize(("bytes_held", "reason"), [(2**31, "page_crashed"), (2**28, "page_hung")])
async def test_a_silent_tab_that_became_large_is_given_time_to_crash(
    waiting: Visit, bytes_held: int, reason: str
) -> None:
    waiting.page.silent, waiting.page.bytes_held = True, bytes_held
    await waiting.clock.advance(30)
    if not waiting.is_over:
        waiting.page.death.set_result(Death.PAGE_CRASHED)
    assert (await waiting.end()).reason == reason


async def test_a_large_tab_that_does_not_crash_is_called_hung_in_time(waiting: Visit) -> None:
    waiting.page.silent, waiting.page.bytes_held = True, 2**31
    began = waiting.clock.now()
    assert (await waiting.end()).reason == "page_hung"
    assert waiting.clock.now() - began < BOUND_S


async def test_no_heartbeat_is_due_to_a_page_that_does_not_answer(waiting: Visit) -> None:
    waiting.page.silent = True
    await waiting.clock.advance(12)
    assert not waiting.is_over
    assert not waiting.driver.is_alive


async def test_a_page_that_answers_again_is_alive(waiting: Visit) -> None:
    waiting.page.silent = True
    await waiting.clock.advance(8)
    waiting.page.silent = False
    await waiting.clock.advance(60)
    assert not waiting.is_over
    assert waiting.driver.is_alive


async def test_counters_that_stand_still_are_a_lost_network(waiting: Visit) -> None:
    waiting.page.received = lambda: 5000.0
    began = waiting.clock.now()
    assert (await waiting.end()).reason == "network_lost"
    assert waiting.clock.now() - began < BOUND_S


async def test_a_connection_that_closes_under_the_page_is_a_lost_network(waiting: Visit) -> None:
    waiting.page.counters = []
    began = waiting.clock.now()
    assert (await waiting.end()).reason == "network_lost"
    assert waiting.clock.now() - began < BOUND_S


async def test_a_new_connection_in_place_of_an_old_one_is_alive(waiting: Visit) -> None:
    for _ in range(5):
        waiting.page.counters = []
        await waiting.clock.advance(10)
        waiting.page.counters = [{"state": "connecting"}]
        await waiting.clock.advance(10)
    assert not waiting.is_over


async def test_a_page_without_any_connection_yet_is_not_called_lost(visit: Visit) -> None:
    visit.page.shows = LOBBY
    await visit.begin()
    await visit.clock.advance(300)
    assert not visit.is_over


async def test_a_page_that_dies_right_after_the_lobby_appeared_ends_the_visit(visit: Visit) -> None:
    await visit.begin()
    visit.page.shows = LOBBY
    visit.page.counters = [{"state": "connected"}]
    await visit.clock.advance(2.002)
    visit.page.counters = [{"state": "failed"}]
    visit.page.received = lambda: 1.0
    began = visit.clock.now()
    assert (await visit.end()).reason == "network_lost"
    assert visit.clock.now() - began < BOUND_S
