"""A bundle is never larger than its bound, whatever is in it, and says what is missing."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usher_operator.lifecycle.evidence.size import BUNDLE_MAX_BYTES, MOST, bounded, size_of

Json = dict[str, Any]


def a_bundle(**parts: Any) -> Json:
    empty: Json = {"end": {}, "job": None, "cut": []} | {name: [] for name in MOST}
    return empty | parts


def a_log(text: str, container: str = "bot") -> Json:
    return {"pod": "bot-1-x", "container": container, "text": text}


WORDS = st.text(max_size=60).map(lambda text: text * 200)


@settings(max_examples=40, deadline=None)
@given(
    logs=st.lists(WORDS.map(a_log), max_size=20),
    events=st.lists(st.fixed_dictionaries({"message": WORDS}), max_size=80),
    details=st.lists(WORDS, max_size=50),
    pods=st.lists(st.fixed_dictionaries({"containers": st.lists(st.fixed_dictionaries({"state": WORDS}))}), max_size=5),
)
def test_a_bundle_is_never_larger_than_its_bound(
    logs: list[Json], events: list[Json], details: list[str], pods: list[Json]
) -> None:
    lines = [{"detail": {"said": detail}} for detail in details]
    found = bounded(a_bundle(logs=logs, events=events, transitions=lines, pods=pods))
    assert len(json.dumps(found)) <= BUNDLE_MAX_BYTES


def test_what_fits_is_left_as_it_is() -> None:
    bundle = a_bundle(logs=[a_log("one\ntwo\n")], transitions=[{"detail": {"exit_code": 1}}])
    assert bounded(bundle) == bundle


def test_a_log_loses_its_oldest_lines_and_no_part_of_a_line() -> None:
    found = bounded(a_bundle(logs=[a_log("".join(f"line {number}\n" for number in range(20_000)))]))
    (log,) = found["logs"]
    assert log["text"].startswith("line ")
    assert log["text"].endswith("line 19999\n")
    assert "from the begin of bot in bot-1-x" in found["cut"][0]


def test_the_longest_log_is_cut_first() -> None:
    noisy, quiet = a_log("\u2192" * 60_000, "sidecar"), a_log("the cause\n" * 100)
    found = bounded(a_bundle(logs=[noisy, quiet]), limit=32_768)
    assert found["logs"][1] == quiet
    assert size_of(found) <= 32_768


def test_the_newest_events_are_kept() -> None:
    events = [{"message": str(number)} for number in range(100)]
    found = bounded(a_bundle(events=events))
    assert [each["message"] for each in found["events"]] == [str(number) for number in range(60, 100)]
    assert found["cut"] == ["events: the first 60 of 100"]


@pytest.mark.parametrize("limit", [6_000, 8_000, 20_000])
def test_the_end_itself_is_never_left_out(limit: int) -> None:
    end = {"reason": "oom_killed", "message": "x" * 900}
    many = [{"message": "\x00" * 1900}] * 40
    found = bounded(a_bundle(end=end, events=many, pods=many), limit=limit)
    assert found["end"] == end
    assert size_of(found) <= limit
