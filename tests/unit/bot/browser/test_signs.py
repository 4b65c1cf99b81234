"""Which screen a reading amounts to."""

import pytest

from usher_bot.drivers.browser.page import Reading, plain
from usher_bot.drivers.browser.platforms import NAMES, find_site
from usher_bot.drivers.browser.signs import PlatformData, Screen

MEET = find_site("google_meet").data
TEAMS = find_site("teams").data
ZOOM = find_site("zoom").data
JITSI = find_site("jitsi").data
LEAVE_CALL = 'button[aria-label*="Leave call"]'


def a_reading(text: str = "", *css: str, **more: object) -> Reading:
    """A page with a text and some elements."""
    return Reading(text=plain(text), found={selector: [text] for selector in css}, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
def test_every_platform_knows_its_way_in_and_out(name: str) -> None:
    data = find_site(name).data
    screens = {sign.screen for sign in data.signs}
    assert {Screen.PREJOIN, Screen.LOBBY, Screen.INSIDE, Screen.DENIED, Screen.REMOVED, Screen.ENDED} <= screens
    assert data.leave


@pytest.mark.parametrize("name", NAMES)
def test_every_sign_says_where_it_is_known_from(name: str) -> None:
    for sign in find_site(name).data.signs:
        assert sign.source, sign
        assert sign.text or sign.css or sign.script or sign.url or sign.title, sign


@pytest.mark.parametrize("apostrophe", ["'", "\N{RIGHT SINGLE QUOTATION MARK}"])
def test_both_apostrophes_are_the_same(apostrophe: str) -> None:
    reading = a_reading(f"You{apostrophe}ll join the call when someone lets you in")
    assert MEET.screen(reading, was_inside=False) is Screen.LOBBY


@pytest.mark.parametrize(
    ("data", "reading"),
    [
        (MEET, a_reading("Asking to be let in", LEAVE_CALL, scripts={"window.__usherTap?.hears ?? false": True})),
        (TEAMS, a_reading("Someone will let you in shortly", "#hangup-button")),
        (ZOOM, a_reading("The host will let you in soon", 'button[aria-label="Leave"]')),
        (JITSI, a_reading("Asking to join meeting…", scripts={"APP.conference.isJoined()": True})),
    ],
    ids=["google_meet", "teams", "zoom", "jitsi"],
)
def test_a_lobby_with_the_meeting_s_own_buttons_is_a_lobby(data: PlatformData, reading: Reading) -> None:
    assert data.screen(reading, was_inside=False) is Screen.LOBBY


def test_the_button_back_to_the_home_screen_is_no_denial() -> None:
    reading = a_reading("Asking to be let in. Return to home screen")
    assert MEET.screen(reading, was_inside=False) is Screen.LOBBY


def test_a_leave_button_alone_is_no_meeting() -> None:
    assert MEET.screen(a_reading("", LEAVE_CALL), was_inside=False) is Screen.UNKNOWN


@pytest.mark.parametrize(
    ("text", "screen"),
    [
        ("You can\N{RIGHT SINGLE QUOTATION MARK}t join this video call", Screen.BLOCKED),
        ("Someone in the call denied your request to join", Screen.DENIED),
        ("No one responded to your request to join the call", Screen.LOBBY_TIMEOUT),
        ("Check your meeting code", Screen.NOT_FOUND),
    ],
)
def test_meet_s_refusals_are_told_apart(text: str, screen: Screen) -> None:
    assert MEET.screen(a_reading(text), was_inside=False) is screen


def test_a_link_to_sign_in_on_the_prejoin_page_is_no_wall() -> None:
    name = 'input[type="text"][aria-label="Your name"]'
    reading = a_reading("Sign in with your Google Account", name, 'a[href*="accounts.google.com"]')
    assert MEET.screen(reading, was_inside=False) is Screen.PREJOIN


def test_a_redirect_to_the_sign_in_host_is_a_wall() -> None:
    reading = a_reading(url="https://login.microsoftonline.com/common/oauth2/authorize?secret=1")
    assert TEAMS.screen(reading, was_inside=False) is Screen.SIGN_IN


def test_a_dialog_in_front_of_the_meeting_comes_first() -> None:
    reading = a_reading("Continue without audio or video", '[data-tid="prejoin-join-button"]')
    assert TEAMS.screen(reading, was_inside=False) is Screen.PROMPT


def test_a_toast_is_no_removal() -> None:
    reading = a_reading("You've been removed from this meeting", "#hangup-button")
    assert TEAMS.screen(reading, was_inside=True) is Screen.INSIDE
    without_button = a_reading("You've been removed from this meeting")
    assert TEAMS.screen(without_button, was_inside=True) is Screen.UNKNOWN


def test_a_removal_in_its_own_place_is_one() -> None:
    reading = a_reading("You've been removed from this meeting", "#calling-retry-screen-title")
    assert TEAMS.screen(reading, was_inside=True) is Screen.REMOVED


def test_the_same_words_mean_another_thing_before_admission() -> None:
    reading = a_reading("You have been removed from this meeting by the host.")
    assert ZOOM.screen(reading, was_inside=False) is Screen.DENIED
    assert ZOOM.screen(reading, was_inside=True) is Screen.REMOVED


def test_zoom_s_invalid_link_may_be_a_meeting_that_has_not_started() -> None:
    reading = a_reading("This meeting link is invalid (3,001)", title="Error - Zoom")
    assert ZOOM.screen(reading, was_inside=False) is Screen.NOT_STARTED


def test_a_page_that_no_sign_explains_is_unknown() -> None:
    assert all(
        find_site(name).data.screen(a_reading("Willkommen"), was_inside=False) is Screen.UNKNOWN for name in NAMES
    )
