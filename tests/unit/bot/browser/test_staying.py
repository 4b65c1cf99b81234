"""In the meeting: what ends a stay, and what does not."""

import asyncio

import pytest

from tests.unit.bot.browser.conftest import Visit
from tests.unit.bot.browser.fake_page import BLANK, INSIDE, gone
from usher_bot.drivers.browser.page import Reading


@pytest.fixture
async def inside(visit: Visit) -> Visit:
    """A bot in a meeting with its host."""
    visit.page.shows = INSIDE
    await visit.begin(nobody_came_s=300, alone_s=60, only_bots_s=120, silence_s=600)
    await visit.clock.advance(2)
    return visit


def with_words(reading: Reading, words: str) -> Reading:
    """The same page, with a text somewhere on it."""
    return Reading(found=reading.found, text=words)


async def test_the_others_are_counted(inside: Visit) -> None:
    assert inside.driver.participants == 1


@pytest.mark.parametrize(
    ("words", "reason"),
    [("You were removed from the meeting", "evicted_from_meeting"), ("The meeting has ended", "meeting_ended")],
)
async def test_a_stay_ends_as_the_page_says(inside: Visit, words: str, reason: str) -> None:
    inside.page.shows = gone(words)
    assert (await inside.end()).reason == reason


async def test_words_on_the_page_end_nothing_while_the_bot_is_inside(inside: Visit) -> None:
    found = {**INSIDE.found, **gone("You were removed from the meeting").found}
    inside.page.shows = Reading(found=found)
    await inside.clock.advance(120)
    assert not inside.is_over


async def test_a_page_that_is_redrawn_ends_nothing(inside: Visit) -> None:
    inside.page.shows = Reading()
    await inside.clock.advance(2)
    inside.page.shows = INSIDE
    await inside.clock.advance(60)
    assert not inside.is_over


async def test_a_meeting_that_is_gone_without_a_word_is_lost(inside: Visit) -> None:
    inside.page.shows = BLANK
    outcome = await inside.end()
    assert (outcome.reason, outcome.exit_code) == ("network_lost", 5)


@pytest.mark.parametrize(
    ("names", "reason", "after_s"),
    [([], "left_alone", 60), (["Fireflies Notetaker", "Otter.ai"], "only_bots_left", 120)],
)
async def test_a_bot_leaves_when_no_person_is_left(
    inside: Visit, names: list[str], reason: str, after_s: float
) -> None:
    inside.page.names = names
    began = inside.clock.now()
    outcome = await inside.end()
    assert (outcome.reason, outcome.leaves) == (reason, True)
    assert inside.clock.now() - began == pytest.approx(after_s, abs=2)


async def test_a_bot_that_no_one_ever_joined_leaves_later(visit: Visit) -> None:
    visit.page.shows, visit.page.names = INSIDE, []
    await visit.begin(nobody_came_s=300, alone_s=60)
    outcome = await visit.end()
    assert (outcome.reason, outcome.leaves) == ("nobody_came", True)
    assert visit.clock.now() == pytest.approx(300, abs=3)


async def test_someone_who_comes_back_keeps_the_bot(inside: Visit) -> None:
    for _ in range(5):
        inside.page.names = []
        await inside.clock.advance(50)
        inside.page.names = ["Host"]
        await inside.clock.advance(5)
    assert not inside.is_over


async def test_a_page_that_does_not_show_who_is_there_is_no_empty_meeting(inside: Visit) -> None:
    inside.page.names = None
    await inside.clock.advance(400)
    assert not inside.is_over
    assert inside.driver.participants is None


async def test_a_bot_leaves_a_meeting_that_is_silent_for_long(inside: Visit) -> None:
    inside.page.level = 0.0
    assert (await inside.end()).reason == "meeting_silent"


async def test_a_bot_leaves_by_the_platform_s_own_button(inside: Visit) -> None:
    inside.page.clicked.clear()
    leaving = asyncio.create_task(inside.driver.leave())
    await inside.clock.run_until(leaving.done)
    assert [target.css for target in inside.page.clicked] == [(".lk-disconnect-button",)]
    assert inside.browser.stopped
