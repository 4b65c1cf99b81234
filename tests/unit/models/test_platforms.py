"""Which ids and URLs name a meeting, per platform."""

import hashlib
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from usher_models.errors import InvalidMeeting
from usher_models.platforms import (
    RULES,
    URL_MAX_LENGTH,
    MeetingRef,
    Platform,
    canonical_id,
    resolve,
    spellings,
)

MEETUP_JOIN = (
    "https://teams.microsoft.com/l/meetup-join/19%3ameeting_NjQ1%40thread.v2/0?context=%7b%22Tid%22%3a%22x%22%7d"
)

STREAM = "stream:53a80f9c-4755-4fe1-aa72-fe000b78202e"
# Ids in their one spelling.
GOOD_IDS = {
    "google_meet": ["abc-defg-hij", "team-standup", "weekly1", "a2345", "our-standup", "lookup:team-standup", STREAM],
    "teams": ["9876543210", "987654321012345", "12345678901234@gov.teams.microsoft.us"],
    "zoom": ["123456789", "1234567890", "12345678901", "1601234567@zoomgov.com", "jane.doe@acme.zoom.us"],
    "jitsi": [
        "standup",
        "s",
        "my.room_1-2",
        "a" * 100,
        "standup@meet.example.org",
        "1@a-b.example.co",
        "tenant-a:standup@8x8.vc",
        "room~20with~20spaces",
        "me~20~26~20you",
        "standup@meet.example.org:8443",
    ],
}
# What people type, and the spelling it has as an id.
TYPED_IDS = {
    "google_meet": {
        "ABC-DEFG-HIJ": "abc-defg-hij",
        "abcdefghij": "abc-defg-hij",
        " abc-defg-hij\n": "abc-defg-hij",
        "\ufeffabc-defg\u200b-hij": "abc-defg-hij",
        "Team-Standup": "team-standup",
        "Lookup:Team-Standup": "lookup:team-standup",
    },
    "teams": {
        "987 654 321 012 3": "9876543210123",
        "9876543210123@teams.live.com": "9876543210123",
        "9876543210123@TEAMS.microsoft.com": "9876543210123",
        "ABCDEF0123456789@teams.microsoft.com": "abcdef0123456789",
        "19:meeting_NjQ1@thread.v2": hashlib.sha256(b"19:meeting_NjQ1@thread.v2").hexdigest()[:16],
    },
    "zoom": {
        "841 1427 0867": "84114270867",
        "841-1427-0867": "84114270867",
        "841\u20111427\u20110867": "84114270867",
        "123456789\n": "123456789",
        "84114270867@zoom.us": "84114270867",
        "84114270867@acme.zoom.us": "84114270867",
        "160 123 4567@agency.zoomgov.com": "1601234567@zoomgov.com",
        "Jane.Doe@us02web.zoom.us": "jane.doe@zoom.us",
    },
    "jitsi": {
        "Weekly": "weekly",
        "My.Room_1-2": "my.room_1-2",
        "weekly@meet.jit.si": "weekly",
        "Weekly@MEET.example.org": "weekly@meet.example.org",
        "weekly@meet.example.org.": "weekly@meet.example.org",
        "Room%20With%20Spaces": "room~20with~20spaces",
        "a~b": "a~7Eb",
        "Room With Spaces": "room~20with~20spaces",
        "me & you": "me~20~26~20you",
        "\uff33tandup": "standup",
    },
}
BAD_IDS = {
    "google_meet": [
        *["", "abc", "abc defg", "-abcde", "abcde-", "abc/def", "a" * 41, "abcd\u00e9", "abc_def"],
        *["landing", "about", "linkredirect", "lookup:", "stream:", "https://meet.google.com/abc-defg-hij"],
    ],
    "teams": ["123456789", "12345678901234567", "98765432x0", "../etc", "\u0661" * 10, "9876543210@zoom.us"],
    "zoom": ["12345678", "123456789012", "12345678a", "\u0661" * 9, "jane.doe", "85123456789@evil.org"],
    "jitsi": [
        "",
        ".",
        "..",
        "a" * 256,
        "room@",
        "@h.org",
        "room/x",
        "room?x",
        "room#x",
        "a:",
        "room\x00",
        "room%00",
        "%FF",
    ],
}
BAD_HOSTS = ["host", "1.2.3.4", "127.1", "kubernetes.default.svc", "jitsi.local", "metadata.google.internal"]
GOOD_URLS = [
    ("https://meet.google.com/abc-defg-hij", "google_meet", "abc-defg-hij", None),
    ("https://meet.google.com/ABC-DEFG-HIJ?authuser=1", "google_meet", "abc-defg-hij", None),
    ("https://meet.google.com/lookup/team-standup", "google_meet", "lookup:team-standup", None),
    ("https://MEET.google.com:443/abc-defg-hij/", "google_meet", "abc-defg-hij", None),
    ("https://teams.live.com/meet/9876543210123?p=Ab1", "teams", "9876543210123", "Ab1"),
    ("https://teams.microsoft.com/meet/987654321012?p=x%2By", "teams", "987654321012", "x+y"),
    ("https://zoom.us/j/85123456789", "zoom", "85123456789", None),
    ("https://us02web.zoom.us/j/85123456789?pwd=abc.1", "zoom", "85123456789", "abc.1"),
    ("https://zoom.us/wc/join/85123456789", "zoom", "85123456789", None),
    ("https://acme.zoom.us/wc/85123456789/join", "zoom", "85123456789", None),
    ("https://meet.jit.si/Standup", "jitsi", "standup", None),
    ("https://8x8.vc/tenant/standup", "jitsi", "tenant:standup@8x8.vc", None),
]
BAD_URLS = [
    "http://meet.google.com/abc-defg-hij",
    "ftp://zoom.us/j/85123456789",
    "meet.google.com/abc-defg-hij",
    "https://meet.google.com/",
    "https://meet.google.com.evil.org/abc-defg-hij",
    "https://notzoom.us/j/85123456789",
    "https://zoom.us.evil.org/j/85123456789",
    "https://zoom.us@evil.org/j/85123456789",
    "https://user:secret@zoom.us/j/85123456789",
    "https://zoom.us:8443/j/85123456789",
    "https://zoom.us:x/j/85123456789",
    "https://zoom.us/j/none",
    "https://teams.microsoft.com/l/meetup-join/",
    "https://teams.live.com/meet/12",
    "https://meet.jit.si/",
    "https://example.org/standup",
    "https://127.0.0.1/standup",
    "https://[::1]/standup",
    "https://[zoom.us/j/85123456789",
    "https://localhost/standup",
    "https://zoom.us/j/85123456789?pwd=" + "x" * URL_MAX_LENGTH,
    "https://teams.microsoft.com/l/meetup-join/\ud800",
    "https://zoom.us/j/85123456789?pwd=nul%00",
    "https://",
    "::",
]
PASSCODES = ["abc", "a b", "a&b=c", "50%", "a+b", "ä€😀", "#?/", "a\"b'c", "%41"]


@pytest.mark.parametrize(("platform", "native_id"), [(name, each) for name, ids in GOOD_IDS.items() for each in ids])
def test_a_good_id_names_a_meeting(platform: str, native_id: str) -> None:
    meeting = resolve(platform=platform, native_id=native_id)
    assert (meeting.platform, meeting.native_id, meeting.passcode) == (platform, native_id, None)
    assert meeting.url.startswith("https://")


@pytest.mark.parametrize(
    ("platform", "typed", "native_id"),
    [(name, typed, native_id) for name, ids in TYPED_IDS.items() for typed, native_id in ids.items()],
)
def test_an_id_has_one_spelling(platform: str, typed: str, native_id: str) -> None:
    assert canonical_id(Platform(platform), typed) == native_id
    assert spellings(Platform(platform), typed) == (typed, native_id)


def test_an_id_that_is_none_has_only_the_spelling_it_was_given() -> None:
    assert spellings(Platform.ZOOM, "legacy") == ("legacy",)


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_a_bot_goes_to_no_private_host_by_its_id(host: str) -> None:
    with pytest.raises(InvalidMeeting, match="public host") as refusal:
        resolve(platform="jitsi", native_id=f"standup@{host}")
    assert refusal.value.field == "nativeMeetingId"


@pytest.mark.parametrize(("platform", "native_id"), [(name, each) for name, ids in BAD_IDS.items() for each in ids])
def test_a_bad_id_names_none(platform: str, native_id: str) -> None:
    with pytest.raises(InvalidMeeting) as refusal:
        resolve(platform=platform, native_id=native_id)
    assert refusal.value.field == "nativeMeetingId"
    assert RULES[Platform(platform)].example in str(refusal.value) or "control characters" in str(refusal.value)


@pytest.mark.parametrize(("url", "platform", "native_id", "passcode"), GOOD_URLS)
def test_a_good_url_names_a_meeting(url: str, platform: str, native_id: str, passcode: str | None) -> None:
    meeting = resolve(url=url)
    assert (meeting.platform, meeting.native_id, meeting.passcode) == (platform, native_id, passcode)


@pytest.mark.parametrize("url", BAD_URLS)
def test_a_bad_url_names_none(url: str) -> None:
    with pytest.raises(InvalidMeeting) as refusal:
        resolve(url=url)
    assert refusal.value.field == "meetingUrl"


@pytest.mark.parametrize(
    ("native_id", "url"),
    [("standup", "https://meet.jit.si/standup"), ("standup@meet.example.org", "https://meet.example.org/standup")],
)
def test_a_jitsi_room_may_have_a_host_of_its_own(native_id: str, url: str) -> None:
    by_id = resolve(platform="jitsi", native_id=native_id)
    assert by_id.url == url
    assert resolve(platform="jitsi", url=url) == by_id


def test_a_host_of_ones_own_is_jitsi_only_when_told() -> None:
    with pytest.raises(InvalidMeeting, match="set platform to jitsi"):
        resolve(url="https://meet.example.org/standup")


def test_a_classic_teams_link_is_known_by_a_hash_and_keeps_its_url() -> None:
    meeting = resolve(url=MEETUP_JOIN)
    assert len(meeting.native_id) == 16
    assert meeting.url == MEETUP_JOIN
    assert resolve(url=MEETUP_JOIN + "&other=1").native_id == meeting.native_id
    assert resolve(url=MEETUP_JOIN.replace("NjQ1", "NjQ2")).native_id != meeting.native_id


def test_a_teams_hash_without_its_url_names_no_place_to_go() -> None:
    with pytest.raises(InvalidMeeting, match="needs its meetingUrl") as refusal:
        resolve(platform="teams", native_id=resolve(url=MEETUP_JOIN).native_id)
    assert refusal.value.field == "meetingUrl"


def test_a_companys_own_zoom_host_is_kept() -> None:
    url = "https://acme.zoom.us/j/85123456789?pwd=x"
    assert resolve(url=url).url == url


@pytest.mark.parametrize("passcode", ["nul\x00", "new\nline", "half \ud800"])
def test_a_passcode_that_nobody_can_type_is_refused(passcode: str) -> None:
    for fields in ({"platform": "zoom", "native_id": "85123456789"}, {"url": "https://zoom.us/j/85123456789"}):
        with pytest.raises(InvalidMeeting, match="passcode has control characters") as refusal:
            resolve(**fields, passcode=passcode)
        assert refusal.value.field == "passcode"


@pytest.mark.parametrize("passcode", PASSCODES)
@pytest.mark.parametrize(
    ("platform", "native_id", "name"), [("zoom", "85123456789", "pwd"), ("teams", "9876543210", "p")]
)
def test_a_passcode_is_quoted(platform: str, native_id: str, name: str, passcode: str) -> None:
    url = resolve(platform=platform, native_id=native_id, passcode=passcode).url
    assert parse_qs(urlsplit(url).query) == {name: [passcode]}
    assert url.isascii()
    assert " " not in url
    assert resolve(url=url).passcode == passcode


def test_a_passcode_beside_the_url_wins() -> None:
    meeting = resolve(url="https://zoom.us/j/85123456789?pwd=old", passcode="new")
    assert (meeting.passcode, meeting.url) == ("new", "https://zoom.us/j/85123456789?pwd=new")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "platform"),
        ({"native_id": "abc-defg-hij"}, "platform"),
        ({"platform": "webex", "native_id": "1"}, "platform"),
        ({"platform": "zoom"}, "nativeMeetingId"),
        ({"platform": "zoom", "url": "https://meet.google.com/abc-defg-hij"}, "platform"),
        ({"platform": "webex", "url": "https://meet.google.com/abc-defg-hij"}, "platform"),
        ({"native_id": "abc-defg-xxx", "url": "https://meet.google.com/abc-defg-hij"}, "nativeMeetingId"),
        ({"platform": "jitsi", "url": "https://meet.example.org/a b"}, "meetingUrl"),
    ],
    ids=str,
)
def test_the_refusal_names_the_field_to_correct(fields: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidMeeting) as refusal:
        resolve(**fields)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("url", "platform", "native_id"),
    [
        ("https://meet.google.com/abc-defg-hij", "google_meet", "abc-defg-hij"),
        ("https://meet.google.com/abc-defg-hij", "google_meet", "ABCDEFGHIJ"),
        ("https://meet.example.org/Standup", "jitsi", "Standup"),
        ("https://meet.example.org/Standup", "jitsi", "standup@meet.example.org"),
        ("https://agency.zoomgov.com/j/1601234567", "zoom", "1601234567"),
        ("https://gov.teams.microsoft.us/meet/12345678901234", "teams", "12345678901234"),
        (MEETUP_JOIN, "teams", "19:meeting_NjQ1@thread.v2"),
        (MEETUP_JOIN, "teams", hashlib.sha256(MEETUP_JOIN.encode()).hexdigest()[:16]),
    ],
)
def test_an_url_and_an_id_that_agree_name_one_meeting(url: str, platform: str, native_id: str) -> None:
    assert resolve(platform=platform, native_id=native_id, url=url) == resolve(platform=platform, url=url)


ANYTHING = st.none() | st.text(max_size=60)
HOSTS = ["meet.google.com", "teams.live.com", "teams.microsoft.com", "zoom.us", "meet.jit.si", "8x8.vc", "example.org"]
LINKS = st.builds("https://{}/{}".format, st.sampled_from(HOSTS), st.text(max_size=40))
IDS_OF_ANY = st.sampled_from([each for ids in (*GOOD_IDS.values(), *BAD_IDS.values()) for each in ids])


@given(
    platform=ANYTHING | st.sampled_from(Platform),
    native_id=ANYTHING | IDS_OF_ANY,
    url=ANYTHING | LINKS,
    passcode=ANYTHING,
)
@example(platform=None, native_id=None, url="https://[::1", passcode=None)
@example(platform=None, native_id=None, url="https://zoom.us:99999/j/1", passcode=None)
@example(platform="jitsi", native_id=None, url="https://meet.example.org/%00", passcode=None)
@example(platform="zoom", native_id="123456789", url=None, passcode="\ud800")
def test_whatever_is_asked_is_a_meeting_or_invalid(
    platform: str | None, native_id: str | None, url: str | None, passcode: str | None
) -> None:
    with suppress(InvalidMeeting):
        meeting = resolve(platform=platform, native_id=native_id, url=url, passcode=passcode)
        assert isinstance(meeting, MeetingRef)
        assert RULES[meeting.platform].pattern.fullmatch(meeting.native_id)
        assert meeting.url.startswith("https://")
