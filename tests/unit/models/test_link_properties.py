"""What holds for every link: one id a meeting, and one meeting an id, whatever a mail or a chat made of the link."""

import hashlib
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.models.links import ROWS
from tests.unit.models.links.row import Row
from usher_models.platforms import RULES, URL_MAX_LENGTH, MeetingRef, Platform, canonical_id, resolve

Disguise = Callable[[str], str]


def _host_in_capitals(link: str) -> str:
    scheme, slashes, rest = link.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.upper()}{slashes}{host.upper()}{slash}{path}"


def _last_character_encoded(link: str) -> str:
    """One character of the path as %XX, as some mail programs send it."""
    head, _, tail = link.partition("?")
    path, hash_mark, fragment = head.partition("#")
    position = max(path.rfind(char) for char in "abcdefghijklmnopqrstuvwxyz0123456789")
    if position < path.index("/", len("https://")) or "%" in path[position - 2 : position]:
        return link
    encoded = f"{path[:position]}%{ord(path[position]):02X}{path[position + 1 :]}"
    return f"{encoded}{hash_mark}{fragment}" + (f"?{tail}" if tail else "")


def _tracked(link: str) -> str:
    before, hash_mark, fragment = link.partition("#")
    join = "&" if "?" in before else "?"
    return f"{before}{join}utm_source=mail&fbclid=x{hash_mark}{fragment}"


DISGUISES: dict[str, Disguise] = {
    "spaces around": lambda link: f"  {link}\t\n",
    "no-break spaces around": lambda link: f"\u00a0{link}\u3000",
    "zero-width space": lambda link: f"\u200b{link[:9]}\u200b{link[9:]}\u200b",
    "byte order mark": lambda link: f"\ufeff{link}",
    "soft hyphen": lambda link: f"{link[:14]}\u00ad{link[14:]}",
    "direction marks": lambda link: f"\u202a{link}\u202c\u200e",
    "angle brackets": lambda link: f"<{link}>",
    "a label of a chat": lambda link: f"<{link}|Join the meeting>",
    "escaped angle brackets": lambda link: f"&lt;{link}&gt;",
    "round brackets": lambda link: f"({link})",
    "square brackets": lambda link: f"[{link}]",
    "quotes": lambda link: f'"{link}"',
    "typographic quotes": lambda link: f"\u201c{link}\u201d",
    "guillemets": lambda link: f"\u00ab{link}\u00bb",
    "backticks": lambda link: f"`{link}`",
    "bold": lambda link: f"*{link}*",
    "mail": lambda link: f"<URL:{link}>",
    "full stop": lambda link: f"{link}.",
    "comma": lambda link: f"{link}, ",
    "semicolon": lambda link: f"{link};",
    "exclamation": lambda link: f"{link}!",
    "bracket and full stop": lambda link: f"({link}).",
    "a no-break space of HTML": lambda link: f"{link}&nbsp;",
    "mail in plain text, which writes it twice": lambda link: f"{link}<{link}>",
    "ideographic full stop": lambda link: f"{link}\u3002",
    "escaped ampersands": lambda link: link.replace("&", "&amp;"),
    "twice escaped ampersands": lambda link: link.replace("&", "&amp;amp;"),
    "scheme and host in capitals": _host_in_capitals,
}
# These leave the meeting and change the link.
ALTERATIONS: dict[str, Disguise] = {
    "tracked": _tracked,
    "a character encoded": _last_character_encoded,
}
LINKS = [(platform, row) for platform, row in ROWS if row.link.startswith("https://")]


def found(row: Row, link: str) -> MeetingRef:
    return resolve(url=link, platform=row.platform, passcode=row.beside)


@pytest.mark.parametrize("disguise", DISGUISES.values(), ids=DISGUISES)
def test_what_stands_around_a_link_changes_nothing(disguise: Disguise) -> None:
    for _, row in LINKS:
        assert found(row, disguise(row.link)) == found(row, row.link), row.link


@pytest.mark.parametrize("alteration", ALTERATIONS.values(), ids=ALTERATIONS)
def test_another_way_to_write_a_link_is_the_same_meeting(alteration: Disguise) -> None:
    for _, row in LINKS:
        if not any(wrapper in row.link for wrapper in ("/url", "urldefense", "secure-web")):
            other, first = found(row, alteration(row.link)), found(row, row.link)
            assert (other.native_id, other.passcode) == (first.native_id, first.passcode), row.link


@pytest.mark.parametrize(("platform", "row"), ROWS, ids=lambda value: getattr(value, "link", value))
def test_the_link_of_a_meeting_is_that_meeting(platform: str, row: Row) -> None:
    meeting = found(row, row.link)
    assert resolve(url=meeting.url, platform=platform, passcode=meeting.passcode) == meeting
    assert resolve(url=meeting.url, platform=platform, native_id=meeting.native_id, passcode=row.beside) == meeting


@pytest.mark.parametrize(("platform", "row"), ROWS, ids=lambda value: getattr(value, "link", value))
def test_an_id_is_in_its_one_spelling_and_leads_to_its_meeting(platform: str, row: Row) -> None:
    native_id = found(row, row.link).native_id
    assert canonical_id(Platform(platform), native_id) == native_id
    assert RULES[Platform(platform)].pattern.fullmatch(native_id)
    if len(native_id) != 16 or platform != "teams":
        by_id = resolve(platform=platform, native_id=native_id)
        assert resolve(platform=platform, url=by_id.url).native_id == native_id


LETTERS = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), min_size=3, max_size=4)
CODES = st.builds("{0:.3}-{1:.3}x-{2:.3}".format, LETTERS, LETTERS, LETTERS)
NAMES = st.from_regex(r"[a-z][a-z0-9]{4,12}-[0-9]", fullmatch=True)
NUMBERS = st.integers(10**9, 10**11 - 1).map(str)
UUIDS = st.uuids().map(str)
WORDS = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Cn", "Co"], exclude_characters="\ufffd"), min_size=1, max_size=12
)
# What Jitsi keeps for its own files, and what a browser takes for a folder, is no room.
ROOMS = WORDS.filter(lambda room: room not in (".", "..") and room.lower() not in ("css", "fonts", "lang", "libs"))
HOSTS = st.sampled_from(["meet.jit.si", "8x8.vc", "beta.meet.jit.si"])


def room_key(room: str) -> str:
    return canonical_id(Platform.JITSI, quote(room, safe=""))


# A link, and what tells its meeting from all others of the same kind.
KINDS: dict[str, st.SearchStrategy[tuple[str, tuple[str, ...]]]] = {
    "meet": st.one_of(
        CODES.map(lambda code: (f"https://meet.google.com/{code}", ("code", code))),
        CODES.map(lambda code: (f"https://meet.google.com/{code.replace('-', '').upper()}", ("code", code))),
        NAMES.map(lambda name: (f"https://meet.google.com/{name}", ("code", name))),
        NAMES.map(lambda name: (f"https://meet.google.com/lookup/{name}", ("lookup", name))),
        UUIDS.map(lambda uuid: (f"https://meet.google.com/stream/{uuid}", ("stream", uuid))),
    ),
    "zoom": st.one_of(
        st.builds(
            lambda number, host, kind: (f"https://{host}/{kind}/{number}?tk=x", ("zoom", number)),
            NUMBERS,
            st.sampled_from(["zoom.us", "us02web.zoom.us", "acme.zoom.us"]),
            st.sampled_from(["j", "w", "wc/join"]),
        ),
        NUMBERS.map(lambda number: (f"https://a.zoomgov.com/j/{number}", ("gov", number))),
        st.builds(
            lambda name, host: (f"https://{host}/my/{name}", ("my", name, host)),
            NAMES,
            st.sampled_from(["zoom.us", "acme.zoom.us", "a.zoomgov.com"]),
        ),
    ),
    "teams": st.one_of(
        st.builds(
            lambda thread, message: (
                f"https://teams.microsoft.com/l/meetup-join/{quote(thread, safe='')}/{message}?context=x",
                ("thread", thread, message),
            ),
            st.from_regex(r"19:(?:meeting_)?[A-Za-z0-9]{1,8}@thread\.(?:v2|tacv2)", fullmatch=True),
            st.sampled_from(["0", "1600000000000", "1700000000000"]),
        ),
        NUMBERS.map(lambda number: (f"https://teams.microsoft.com/meet/{number}?p=x", ("number", number))),
        NUMBERS.map(lambda number: (f"https://gov.teams.microsoft.us/meet/{number}?p=x", ("gov", number))),
    ),
    "jitsi": st.builds(
        lambda host, path: (
            f"https://{host}/{'/'.join(quote(part, safe='') for part in path)}?jwt=x",
            (host, *map(room_key, path)),
        ),
        HOSTS,
        st.lists(ROOMS, min_size=1, max_size=3),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=50)
@given(data=st.data())
def test_two_links_share_an_id_exactly_when_they_lead_to_one_meeting(kind: str, data: st.DataObject) -> None:
    (one, one_key), (other, other_key) = data.draw(KINDS[kind]), data.draw(KINDS[kind])
    first, second = resolve(url=one), resolve(url=other)
    assert (first.native_id == second.native_id) == (one_key == other_key)
    assert resolve(url=first.url) == first


IDS = {
    Platform.GOOGLE_MEET: st.one_of(CODES, NAMES, NAMES.map("lookup:{}".format), UUIDS.map("stream:{}".format)),
    Platform.TEAMS: st.one_of(NUMBERS, NUMBERS.map("{}@dod.teams.microsoft.us".format)),
    Platform.ZOOM: st.one_of(NUMBERS, NUMBERS.map("{}@zoomgov.com".format), NAMES.map("{}@acme.zoom.us".format)),
    Platform.JITSI: st.builds(
        lambda rooms, host: ":".join(quote(room, safe="") for room in rooms) + host,
        st.lists(ROOMS, min_size=1, max_size=3),
        st.sampled_from(["", "@8x8.vc", "@meet.example.org", "@meet.example.org:8443"]),
    ),
}
PASSCODES = st.none() | st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


@pytest.mark.parametrize("platform", IDS)
@settings(max_examples=50)
@given(data=st.data(), passcode=PASSCODES)
def test_an_id_becomes_a_link_that_becomes_the_same_id(
    platform: Platform, data: st.DataObject, passcode: str | None
) -> None:
    native_id = canonical_id(platform, data.draw(IDS[platform]))
    first = resolve(platform=platform, native_id=native_id, passcode=passcode)
    again = resolve(platform=platform, url=first.url, passcode=passcode)
    assert (first.native_id, again) == (native_id, first)
    assert len(first.url) <= URL_MAX_LENGTH
    if platform in (Platform.ZOOM, Platform.TEAMS):
        assert resolve(url=first.url).passcode == passcode


@given(link=st.sampled_from(LINKS), passcode=PASSCODES.filter(bool))
def test_a_passcode_beside_a_link_leaves_nothing_of_the_old_one(link: tuple[str, Row], passcode: str) -> None:
    _, row = link
    before = resolve(url=row.link, platform=row.platform)
    after = resolve(url=row.link, platform=row.platform, passcode=passcode)
    assert (after.native_id, after.passcode) == (before.native_id, passcode)
    again = resolve(url=after.url, platform=row.platform)
    assert again.passcode in (None, passcode)


def test_vexas_ids_stay_as_they_are() -> None:
    """Those of a database that Usher takes over: the same link is the same row."""
    for platform, native_id in [("google_meet", "abc-defg-hij"), ("teams", "9361792952021"), ("zoom", "85123456789")]:
        assert resolve(platform=platform, native_id=native_id).native_id == native_id
    assert canonical_id(Platform.TEAMS, "a3f7c2d891b04e5f") == "a3f7c2d891b04e5f"
    thread = "19:meeting_MjM2@thread.v2"
    assert (
        resolve(url=f"https://teams.microsoft.com/l/meetup-join/{thread}/0").native_id
        == (hashlib.sha256(thread.encode()).hexdigest()[:16])
    )
