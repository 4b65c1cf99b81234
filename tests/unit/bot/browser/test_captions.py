"""Captions grow and are mended on the page; a sink gets each word once, with who said it and since when."""

import logging

import pytest

from tests.unit.bot.browser.conftest import Visit
from tests.unit.bot.browser.fake_page import INSIDE
from usher_bot.drivers.browser.captions import Captions, Said

Shown = list[list[str | None]]


def play(*looks: Shown | None, every_s: float = 1.0) -> list[Said]:
    """Everything that is handed on while these looks follow each other, the end of the meeting included."""
    captions = Captions()
    said = [it for at, shown in enumerate(looks) for it in captions.note(shown, now=at * every_s)]
    return [*said, *captions.rest()]


def texts(said: list[Said]) -> list[str]:
    """Only what was said."""
    return [it.text for it in said]


def test_a_caption_that_grows_is_handed_on_once_with_its_beginning() -> None:
    said = play([["1", "Ada", "Good"]], [["1", "Ada", "Good morning"]], [["1", "Ada", "Good morning all"]], [], [])
    assert said == [Said(name="Ada", text="Good morning all", began=0)]


def test_a_caption_that_stands_still_is_handed_on_while_it_is_shown() -> None:
    captions = Captions()
    for at in range(3):
        assert captions.note([["1", "Ada", "Good morning"]], now=at) == []
    assert texts(captions.note([["1", "Ada", "Good morning"]], now=3)) == ["Good morning"]
    assert captions.note([["1", "Ada", "Good morning"]], now=4) == []
    assert captions.rest() == []


def test_what_a_caption_grows_by_later_is_handed_on_by_itself() -> None:
    still: Shown = [["1", "Ada", "Good morning"]]
    longer: Shown = [["1", "Ada", "Good morning everyone"]]
    said = play(still, still, still, still, longer, longer, longer, longer)
    assert [(it.text, it.began) for it in said] == [("Good morning", 0), ("everyone", 4)]


def test_a_mended_caption_is_the_same_caption() -> None:
    said = play([["1", "Ada", "so the plane"]], [["1", "Ada", "So the plan is to ship"]], [])
    assert texts(said) == ["So the plan is to ship"]


def test_an_element_that_is_used_again_is_another_caption() -> None:
    said = play([["1", "Ada", "We ship on Friday"]], [["1", "Bob", "That works for me"]], [])
    assert [(it.name, it.text) for it in said] == [("Ada", "We ship on Friday"), ("Bob", "That works for me")]
    same_speaker = play([["1", "Ada", "We ship on Friday"]], [["1", "Ada", "Any other questions then"]], [])
    assert texts(same_speaker) == ["We ship on Friday", "Any other questions then"]


def test_a_caption_whose_beginning_scrolls_away_repeats_nothing() -> None:
    first: Shown = [["1", "Ada", "one two three four five six"]]
    scrolled: Shown = [["1", "Ada", "three four five six seven eight"]]
    said = play(first, first, first, first, scrolled, [])
    assert texts(said) == ["one two three four five six", "seven eight"]


def test_two_who_speak_at_once_are_kept_apart() -> None:
    said = play([["1", "Ada", "Yes"], ["2", None, "No"]], [])
    assert [(it.name, it.text) for it in said] == [("Ada", "Yes"), (None, "No")]


@pytest.mark.parametrize("shown", [None, "captions", [["1", "Ada"]], [[1, 2, 3]], [["1", "Ada", "  "]]])
def test_what_has_not_the_form_of_captions_is_ignored(shown: Shown) -> None:
    assert play(shown, shown) == []


async def test_no_caption_is_logged(visit: Visit, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    visit.page.shows = INSIDE
    visit.page.captions = [["1", "Ada", "swordfish"]]
    await visit.begin(captions=True, nobody_came_s=0, alone_s=0)
    await visit.clock.advance(30)
    assert visit.joined
    assert "swordfish" not in "".join(f"{record.getMessage()}{vars(record)}" for record in caplog.records)
