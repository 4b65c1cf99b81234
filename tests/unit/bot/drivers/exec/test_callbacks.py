"""The dialects of Vexa's callbacks, understood as one vocabulary."""

from typing import Any

import pytest

from tests.unit.bot.fake_time import FakeClock
from usher_bot.drivers.exec.callbacks import ChildWords
from usher_models.states import Stage


@pytest.fixture
def words(clock: FakeClock) -> ChildWords:
    return ChildWords(clock=clock)


@pytest.fixture
def stages(words: ChildWords) -> list[Stage]:
    heard: list[Stage] = []
    words.on_stage = heard.append
    return heard


def test_an_old_bot_says_started_and_then_joined(words: ChildWords, stages: list[Stage]) -> None:
    words.hear("started", {"status": "joined_meeting"})
    assert (stages, words.joined.is_set()) == ([Stage.JOINING], False)
    words.hear("joined", {})
    assert words.joined.is_set()


def test_a_later_bot_says_started_when_it_is_in_the_meeting(words: ChildWords, stages: list[Stage]) -> None:
    words.hear("joining", {})
    words.hear("awaiting_admission", {})
    words.hear("started", {})
    assert (stages, words.joined.is_set()) == ([Stage.JOINING, Stage.LOBBY], True)


@pytest.mark.parametrize("name", ["status_change", "status", "lifecycle"])
def test_the_newest_bots_say_everything_by_one_callback(words: ChildWords, stages: list[Stage], name: str) -> None:
    for status in ("joining", "awaiting_admission", "active"):
        words.hear(name, {"status": status})
    assert (stages, words.joined.is_set()) == ([Stage.JOINING, Stage.LOBBY], True)
    words.hear(name, {"status": "completed", "completion_reason": "left_alone", "exit_code": 0})
    assert (words.exit_code, words.reason) == (0, "left_alone")


def test_no_stage_is_reported_from_inside_the_meeting(words: ChildWords, stages: list[Stage]) -> None:
    words.hear("joined", {})
    words.hear("awaiting_admission", {})
    assert stages == []


@pytest.mark.parametrize(
    ("body", "heard"),
    [
        ({"exit_code": 2, "reason": "admission_failed"}, (2, "admission_failed", None)),
        ({"exit_code": 1, "reason": "The page is gone."}, (1, None, "The page is gone.")),
        ({"exit_code": 1, "reason": "x", "error_details": {"at": "join"}}, (1, "x", '{"at": "join"}')),
        ({"exit_code": 1, "reason": "failed", "completion_reason": "evicted"}, (1, "evicted", None)),
        ({"exit_code": "1", "reason": None}, (None, None, None)),
        ({"exit_code": 1, "detail": "x" * 5000}, (1, None, "x" * 1000)),
    ],
)
def test_the_last_word_is_taken_for_machines_or_for_people(
    words: ChildWords, body: dict[str, Any], heard: tuple[object, ...]
) -> None:
    words.hear("exited", body)
    assert (words.exit_code, words.reason, words.detail) == heard


@pytest.mark.parametrize("participants", [None, "3", -1, 2**40])
def test_participants_that_make_no_sense_are_not_believed(words: ChildWords, participants: object) -> None:
    words.hear("heartbeat", {"participants": 4})
    words.hear("heartbeat", {"participants": participants})
    assert words.participants == 4


def test_what_is_not_understood_changes_nothing(words: ChildWords, stages: list[Stage]) -> None:
    words.hear("status", {"status": "needs_human_help"})
    words.hear("speak", {})
    assert (stages, words.joined.is_set(), words.exit_code) == ([], False, None)
