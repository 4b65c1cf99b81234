"""Every error has a word for programs and a sentence for people."""

import re

import pytest

from usher_models import errors
from usher_models.errors import CapReached, DuplicateMeeting, InvalidInput, InvalidMeeting, MeetingOver, UsherError


def family(kind: type[UsherError]) -> list[type[UsherError]]:
    return [kind, *(grandchild for child in kind.__subclasses__() for grandchild in family(child))]


OURS = [kind for kind in family(UsherError) if kind.__module__ == errors.__name__]
PLAIN = [kind for kind in OURS if kind not in (CapReached, DuplicateMeeting, InvalidInput, MeetingOver)]


def test_each_error_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in OURS]
    assert len(set(codes)) == len(codes)
    assert all("code" in vars(kind) for kind in OURS)


@pytest.mark.parametrize("kind", OURS, ids=[kind.__name__ for kind in OURS])
def test_a_code_is_a_word_for_programs(kind: type[UsherError]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.code)


@pytest.mark.parametrize("kind", PLAIN, ids=[kind.__name__ for kind in PLAIN])
def test_an_error_says_a_sentence_by_itself(kind: type[UsherError]) -> None:
    assert re.fullmatch(r"[A-Z][^\n]+\.", str(kind()))
    assert str(kind()) == kind.__doc__
    assert str(kind("Something better.")) == "Something better."


def test_the_tree_in_the_docstring_shows_every_error_where_it_hangs() -> None:
    lines = [line for line in (errors.__doc__ or "").splitlines() if re.match(r"    [ │├└]*\w", line.replace("─", " "))]
    depths = {line.strip(" │├└─").split()[0]: re.search(r"[A-Z]", line) for line in lines}
    assert list(depths) == [kind.__name__ for kind in OURS]
    for kind in OURS[1:]:
        mine, parents = depths[kind.__name__], depths[kind.__mro__[1].__name__]
        assert mine is not None
        assert parents is not None
        assert mine.start() == parents.start() + 4


@pytest.mark.parametrize("kind", [kind for kind in OURS if not kind.__subclasses__()])
def test_the_tree_in_the_docstring_shows_the_code(kind: type[UsherError]) -> None:
    assert re.search(rf"─ {kind.__name__} +{kind.code}\b", errors.__doc__ or "")


def test_the_refusal_of_one_too_many_says_how_many() -> None:
    refusal = CapReached(limit=3, used=5)
    assert (refusal.limit, refusal.used) == (3, 5)
    assert str(refusal) == "Maximum concurrent bots limit reached (3); 5 in use."


@pytest.mark.parametrize(("meeting_id", "said"), [(7, "meeting 7"), (None, "a planned meeting")])
def test_a_duplicate_names_the_other_meeting_when_it_is_known(meeting_id: int | None, said: str) -> None:
    assert said in str(DuplicateMeeting(meeting_id=meeting_id))


def test_the_end_names_the_meeting_and_how_it_ended() -> None:
    assert str(MeetingOver(meeting_id=7, status="failed")) == "Meeting 7 is over (failed); the bot must exit."


def test_an_invalid_meeting_names_the_field() -> None:
    assert InvalidMeeting().field == "nativeMeetingId"
    assert InvalidMeeting("No.", field="meetingUrl").field == "meetingUrl"
