"""Which ids and URLs name a meeting, per platform."""

from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from usher_models.errors import InvalidMeeting
from usher_models.platforms import RULES, URL_MAX_LENGTH, MeetingRef, Platform, resolve

MEETUP_JOIN = (
    "https://teams.microsoft.com/l/meetup-join/19%3ameeting_NjQ1%40thread.v2/0?context=%7b%22Tid%22%3a%22x%22%7d"
)

GOOD_IDS = {
    "google_meet": ["abc-defg-hij", "team-standup", "weekly1", "a2345"],
    "teams": ["9876543210", "987654321012345"],
    "zoom": ["123456789", "1234567890", "12345678901"],
    "jitsi": ["standup", "S", "My.Room_1-2", "a" * 100, "standup@meet.example.org", "1@a-b.example.co"],
}
BAD_IDS = {
    "google_meet": ["", "abc", "ABC-DEFG-HIJ", "abc defg", "-abcde", "abcde-", "abc/def", "a" * 41, "abcdé", "abc_def"],
    "teams": ["123456789", "12345678901234567", "98765432x0", "../etc", "١٢٣٤٥٦٧٨٩٠", "ABCDEF0123456789"],
    "zoom": ["12345678", "123456789012", "12345678a", "123 456 789", "123-456-789", "١٢٣٤٥٦٧٨٩", "123456789\n"],
    "jitsi": [
        "",
        ".room",
        "a" * 101,
        "room/x",
        "room?x",
        "room#x",
        "a b",
        "room@",
        "room@host",
        "room@1.2.3.4",
        "@h.org",
    ],
}
GOOD_URLS = [
    ("https://meet.google.com/abc-defg-hij", "google_meet", "abc-defg-hij", None),
    ("https://meet.google.com/ABC-DEFG-HIJ?authuser=1", "google_meet", "abc-defg-hij", None),
    ("https://meet.google.com/lookup/team-standup", "google_meet", "team-standup", None),
    ("https://MEET.google.com:443/abc-defg-hij/", "google_meet", "abc-defg-hij", None),
    ("https://teams.live.com/meet/9876543210123?p=Ab1", "teams", "9876543210123", "Ab1"),
    ("https://teams.microsoft.com/meet/987654321012?p=x%2By", "teams", "987654321012", "x+y"),
    ("https://zoom.us/j/85123456789", "zoom", "85123456789", None),
    ("https://us02web.zoom.us/j/85123456789?pwd=abc.1", "zoom", "85123456789", "abc.1"),
    ("https://zoom.us/wc/join/85123456789", "zoom", "85123456789", None),
    ("https://acme.zoom.us/wc/85123456789/join", "zoom", "85123456789", None),
    ("https://meet.jit.si/Standup", "jitsi", "Standup", None),
    ("https://8x8.vc/tenant/standup", "jitsi", "standup@8x8.vc", None),
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
    "https://zoom.us/j/85123456789 ",
    "https://zoom.us/j/85123456789\n",
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


@pytest.mark.parametrize(("platform", "native_id"), [(name, each) for name, ids in BAD_IDS.items() for each in ids])
def test_a_bad_id_names_none(platform: str, native_id: str) -> None:
    with pytest.raises(InvalidMeeting) as refusal:
        resolve(platform=platform, native_id=native_id)
    assert refusal.value.field == "nativeMeetingId"
    assert RULES[Platform(platform)].example in str(refusal.value)


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
        with pytest.raises(InvalidMeeting) as refusal:
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


def test_an_url_and_an_id_that_agree_name_one_meeting() -> None:
    url = "https://meet.google.com/abc-defg-hij"
    assert resolve(platform="google_meet", native_id="abc-defg-hij", url=url) == resolve(url=url)


IDS = {platform: st.from_regex(rule.pattern, fullmatch=True) for platform, rule in RULES.items()}
MEETINGS = st.sampled_from(Platform).flatmap(lambda platform: st.tuples(st.just(platform), IDS[platform]))


@given(
    meeting=MEETINGS,
    passcode=st.none() | st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20),
)
def test_an_id_becomes_an_url_that_becomes_the_same_id(meeting: tuple[Platform, str], passcode: str | None) -> None:
    platform, native_id = meeting
    if platform is Platform.TEAMS and len(native_id) == 16:
        return
    first = resolve(platform=platform, native_id=native_id, passcode=passcode)
    again = resolve(platform=platform, url=first.url, passcode=passcode)
    assert (again.platform, again.native_id, again.passcode) == (platform, native_id, passcode)


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
