"""What each answer means: only a problem of Usher's own declines a callback or dismisses a bot."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher_bot.answers import understand
from usher_bot.errors import (
    AnotherPodSpeaks,
    BotError,
    ConnectionUnknown,
    Dismissed,
    MeetingOver,
    NotApplied,
    TokenRefused,
    Unreachable,
)
from usher_models.errors import UsherError
from usher_models.wire import Problem

OWN: dict[tuple[int, str, bool], type[BotError]] = {
    (410, "meeting_over", True): MeetingOver,
    (409, "another_pod_speaks", True): AnotherPodSpeaks,
    (401, "unauthorized", False): TokenRefused,
    (403, "forbidden", False): TokenRefused,
    (404, "unknown_connection", False): ConnectionUnknown,
    (409, "illegal_move", False): NotApplied,
    (400, "bad_body", False): NotApplied,
    (413, "request_entity_too_large", False): NotApplied,
    (422, "invalid_body", False): NotApplied,
}
STATUSES = st.sampled_from([200, 301, 302, 400, 401, 403, 404, 405, 408, 409, 410, 413, 422, 425, 429, 500, 502, 503])
CODES = st.sampled_from([code for _, code, _ in OWN]) | st.text(max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def meaning(status: int, raw: bytes) -> BotError:
    with pytest.raises(BotError) as raised:
        understand(status, raw, {})
    return raised.value


def problem(code: str, *, terminate: bool) -> bytes:
    return Problem(code=code, detail="No.", terminate=terminate).model_dump_json().encode()


@pytest.mark.parametrize(("status", "code", "terminate"), OWN)
def test_a_problem_of_ushers_own_means_one_thing(status: int, code: str, *, terminate: bool) -> None:
    assert type(meaning(status, problem(code, terminate=terminate))) is OWN[status, code, terminate]


@given(status=STATUSES, body=st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_a_foreign_answer_never_dismisses_a_bot(status: int, body: bytes) -> None:
    assert type(meaning(status, body)) is Unreachable


@given(status=STATUSES, code=CODES, terminate=st.booleans())
def test_only_the_status_code_and_terminate_of_usher_together_count(status: int, code: str, *, terminate: bool) -> None:
    wanted = OWN.get((status, code, terminate))
    if wanted is None and issubclass(OWN.get((status, code, False), Unreachable), NotApplied):
        wanted = NotApplied
    assert type(meaning(status, problem(code, terminate=terminate))) is (wanted or Unreachable)


@pytest.mark.parametrize(
    "foreign",
    [
        {"code": "meeting_over", "detail": "No."},
        {"code": "meeting_over", "detail": "No.", "terminate": "true"},
        {"code": "meeting_over", "detail": 7, "terminate": True},
        {"code": "not_found", "detail": "No.", "terminate": True},
        {"kind": "Status", "code": 410, "reason": "Gone"},
    ],
)
def test_a_document_that_only_resembles_a_problem_dismisses_no_bot(foreign: dict[str, Any]) -> None:
    assert type(meaning(410, json.dumps(foreign).encode())) is Unreachable


def test_every_code_that_dismisses_is_one_of_ushers() -> None:
    def codes(kind: type[UsherError]) -> set[str]:
        return {kind.code}.union(*(codes(child) for child in kind.__subclasses__()))

    dismissing = {code for (_, code, _), kind in OWN.items() if issubclass(kind, Dismissed)}
    assert dismissing <= codes(UsherError)


def test_a_foreign_answer_is_quoted_briefly_and_without_control_characters() -> None:
    sentence = str(meaning(502, b"<h1>Bad\x1b[31m gateway</h1>" + b"x" * 5000))
    assert sentence.startswith("answered HTTP 502 with '<h1>Bad?[31m gateway</h1>x")
    assert len(sentence) < 200


def test_an_empty_foreign_answer_is_called_that() -> None:
    assert str(meaning(404, b"")) == "answered HTTP 404 without a body"
