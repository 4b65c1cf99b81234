"""Where each platform's guest goes."""

from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from usher_bot.drivers.browser.platforms import Guest, find_site


def the_address(site: str, url: str, *, passcode: str | None = None) -> str:
    """Where the browser goes for a meeting's URL."""
    return find_site(site).address(Guest(url=url, name='The "Usher"', passcode=passcode))


def test_meet_is_asked_in_english_and_keeps_its_account_query() -> None:
    address = the_address("google_meet", "https://meet.google.com/abc-defg-hij?authuser=1")
    assert parse_qs(urlsplit(address).query) == {"authuser": ["1"], "hl": ["en"]}


def test_teams_keeps_the_passcode_of_a_short_link() -> None:
    address = the_address("teams", "https://teams.live.com/meet/9876543210123?p=Pa%2Bss")
    assert parse_qs(urlsplit(address).query)["p"] == ["Pa+ss"]


def test_teams_gets_the_passcode_that_only_the_request_has() -> None:
    address = the_address("teams", "https://teams.live.com/meet/9876543210123", passcode="swordfish")
    assert parse_qs(urlsplit(address).query)["p"] == ["swordfish"]


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://zoom.us/j/85123456789?pwd=a.1", "https://app.zoom.us/wc/85123456789/join?pwd=a.1"),
        ("https://zoom.us/j/85123456789?tk=a.b&pwd=a.1", "https://app.zoom.us/wc/85123456789/join?tk=a.b&pwd=a.1"),
        ("https://zoom.us/w/85123456789?tk=a.b", "https://zoom.us/w/85123456789?tk=a.b"),
        ("https://example.zoom.us/j/85123456789", "https://app.zoom.us/wc/85123456789/join"),
        ("https://events.zoom.us/ej/abc", "https://events.zoom.us/ej/abc"),
        ("https://zoom.example.com/j/85123456789", "https://zoom.example.com/j/85123456789"),
        ("https://notzoom.us/j/85123456789", "https://notzoom.us/j/85123456789"),
    ],
)
def test_zoom_s_meetings_open_in_the_web_client_and_other_links_as_they_are(url: str, address: str) -> None:
    assert the_address("zoom", url) == address


def test_jitsi_s_wishes_are_in_the_fragment_which_the_server_never_sees() -> None:
    address = the_address("jitsi", "https://meet.example.org/standup")
    parts = urlsplit(address)
    assert (parts.path, parts.query) == ("/standup", "")
    assert 'userInfo.displayName="The \\"Usher\\""' in unquote(parts.fragment)
    assert "config.startWithAudioMuted=true" in parts.fragment
