"""The way in, screen by screen."""

import pytest

from tests.unit.bot.browser.conftest import Visit
from tests.unit.bot.browser.fake_page import BLANK, INSIDE, LOBBY, PASSCODE, PREJOIN, gone
from usher_bot.drivers.browser.page import Reading
from usher_models.states import Stage


async def test_the_bot_gives_its_name_and_asks_to_join(visit: Visit) -> None:
    await visit.begin()
    assert visit.page.opened == ["https://conference.example/m/room"]
    assert visit.page.typed == ["Usher"]
    assert len(visit.page.clicked) == 1


async def test_stages_are_reported_as_they_happen(visit: Visit) -> None:
    await visit.begin()
    assert visit.stages == [Stage.JOINING]
    visit.page.shows = LOBBY
    await visit.clock.advance(1)
    assert set(visit.stages) == {Stage.JOINING, Stage.LOBBY}
    visit.page.shows = INSIDE
    await visit.clock.advance(1)
    assert visit.joined


async def test_a_click_that_did_nothing_is_repeated_but_not_at_once(visit: Visit) -> None:
    await visit.begin()
    await visit.clock.advance(4)
    assert len(visit.page.clicked) == 1
    await visit.clock.advance(2)
    assert len(visit.page.clicked) == 2


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("Your request to join was denied", "admission_denied"),
        ("The meeting is full", "meeting_full_or_locked"),
        ("Sign in to join this meeting", "sign_in_needed"),
        ("The meeting has ended", "meeting_ended"),
    ],
)
async def test_a_refusal_is_called_by_its_name(visit: Visit, words: str, reason: str) -> None:
    await visit.begin()
    visit.page.shows = gone(words)
    outcome = await visit.end()
    assert (outcome.reason, outcome.leaves) == (reason, False)


async def test_a_refusal_in_one_look_only_is_not_believed(visit: Visit) -> None:
    await visit.begin()
    visit.page.shows = gone("Your request to join was denied")
    await visit.clock.advance(0.5)
    visit.page.shows = INSIDE
    await visit.clock.advance(1)
    assert visit.joined


async def test_a_toast_over_the_lobby_is_no_refusal(visit: Visit) -> None:
    words = gone("Your request to join was denied")
    visit.page.shows = LOBBY
    await visit.begin()
    visit.page.shows = Reading(found={**LOBBY.found, **words.found})
    await visit.clock.advance(5)
    visit.page.shows = LOBBY
    await visit.clock.advance(30)
    assert not visit.is_over


async def test_a_refusal_that_stays_over_the_lobby_is_one(visit: Visit) -> None:
    words = gone("Your request to join was denied")
    visit.page.shows = Reading(found={**LOBBY.found, **words.found})
    await visit.begin()
    assert (await visit.end()).reason == "admission_denied"
    assert visit.clock.now() < 15


async def test_a_lobby_that_takes_too_long_is_a_timeout_and_no_denial(visit: Visit) -> None:
    visit.page.shows = LOBBY
    await visit.begin(lobby_s=60)
    outcome = await visit.end()
    assert (outcome.reason, outcome.leaves) == ("admission_timeout", True)
    assert visit.clock.now() == pytest.approx(59, abs=1)


async def test_the_lobby_ends_just_before_the_limit_of_the_whole_bot(visit: Visit) -> None:
    visit.page.shows = LOBBY
    await visit.begin(lobby_timeout_s=30)
    await visit.end()
    assert visit.clock.now() < 30


async def test_a_meeting_that_does_not_start_is_called_so(visit: Visit) -> None:
    visit.page.shows = gone("The meeting has not started yet")
    await visit.begin(lobby_s=60)
    assert (await visit.end()).reason == "meeting_not_started"


async def test_a_passcode_that_the_request_lacks_is_asked_for(visit: Visit) -> None:
    visit.page.shows = PASSCODE
    await visit.begin()
    assert (await visit.end()).reason == "passcode_needed"


async def test_a_passcode_is_given_once(visit: Visit) -> None:
    visit.page.shows = PASSCODE
    await visit.begin(passcode="swordfish")
    assert (await visit.end()).reason == "passcode_wrong"
    assert visit.page.typed == ["Usher", "swordfish"]


async def test_an_unknown_page_is_reported_with_its_texts_and_without_secrets(visit: Visit) -> None:
    visit.page.shows = BLANK
    await visit.begin(passcode="swordfish", join_s=20)
    outcome = await visit.end()
    assert outcome.reason == "unknown_page"
    assert outcome.detail
    assert "meeting.example/odd" in outcome.detail
    assert not any(secret in outcome.detail for secret in ("secret=1", "somebody@example.com", "swordfish"))


async def test_a_join_button_that_never_works_is_not_waited_for_for_ever(visit: Visit) -> None:
    await visit.begin(join_s=20)
    outcome = await visit.end()
    assert outcome.reason == "unknown_page"
    assert outcome.detail
    assert "prejoin" in outcome.detail


async def test_a_page_between_two_documents_is_waited_for(visit: Visit) -> None:
    visit.page.shows = Reading()
    await visit.begin()
    await visit.clock.advance(10)
    visit.page.shows = PREJOIN
    await visit.clock.advance(1)
    assert visit.page.typed == ["Usher"]


async def test_a_browser_that_does_not_start_is_the_bot_s_own_fault(visit: Visit) -> None:
    visit.browser.fails = True
    await visit.begin()
    outcome = await visit.end()
    assert (outcome.reason, outcome.exit_code) == ("browser_failed", 1)
