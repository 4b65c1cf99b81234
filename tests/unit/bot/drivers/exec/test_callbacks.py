"""The dialects of Vexa's callbacks, understood as one vocabulary."""

from typing import Any

import pytest

from tests.unit.bot.fake_time import FakeClock
from usher_bot.drivers.exec.callbacks import ChildCallbacks
from usher_models.states import Stage


@pytest.fixture
def callbacks(clock: FakeClock) -> ChildCallbacks:
    return ChildCallbacks(clock=clock)


@pytest.fixture
def stages(callbacks: ChildCallbacks) -> list[Stage]:
    reported: list[Stage] = []
    callbacks.on_stage = reported.append
    return reported


def test_an_old_bot_says_started_and_then_joined(callbacks: ChildCallbacks, stages: list[Stage]) -> None:
    callbacks.receive("started", {"status": "joined_meeting"})
    assert (stages, callbacks.joined.is_set()) == ([Stage.JOINING], False)
    callbacks.receive("joined", {})
    assert callbacks.joined.is_set()


def test_a_later_bot_says_started_when_it_is_in_the_meeting(callbacks: ChildCallbacks, stages: list[Stage]) -> None:
    callbacks.receive("joining", {})
    callbacks.receive("awaiting_admission", {})
    callbacks.receive("started", {})
    assert (stages, callbacks.joined.is_set()) == ([Stage.JOINING, Stage.LOBBY], True)


@pytest.mark.parametrize("name", ["status_change", "status", "lifecycle"])
def test_a_newer_bot_reports_everything_by_one_callback(
    callbacks: ChildCallbacks, stages: list[Stage], name: str
) -> None:
    for status in ("joining", "awaiting_admission", "active"):
        callbacks.receive(name, {"status": status})
    assert (stages, callbacks.joined.is_set()) == ([Stage.JOINING, Stage.LOBBY], True)
    callbacks.receive(name, {"status": "completed", "completion_reason": "left_alone", "exit_code": 0})
    assert (callbacks.exit_code, callbacks.reason) == (0, "left_alone")


def test_no_stage_is_reported_from_inside_the_meeting(callbacks: ChildCallbacks, stages: list[Stage]) -> None:
    callbacks.receive("joined", {})
    callbacks.receive("awaiting_admission", {})
    assert stages == []


@pytest.mark.parametrize(
    ("body", "reported"),
    [
        ({"exit_code": 2, "reason": "admission_failed"}, (2, "admission_timeout", None)),
        ({"exit_code": 1, "reason": "The page is gone."}, (1, None, "The page is gone.")),
        ({"exit_code": 1, "reason": "x", "error_details": {"at": "join"}}, (1, "x", '{"at": "join"}')),
        ({"exit_code": 1, "reason": "failed", "completion_reason": "join_failure"}, (1, "join_failure", None)),
        (
            {"exit_code": 1, "reason": "The host refused.", "completion_reason": "awaiting_admission_rejected"},
            (1, "admission_denied", "The host refused."),
        ),
        ({"exit_code": "1", "reason": None}, (None, None, None)),
        ({"exit_code": 1, "detail": "x" * 5000}, (1, None, "x" * 1000)),
    ],
)
def test_an_end_is_read_as_a_reason_or_as_a_detail(
    callbacks: ChildCallbacks, body: dict[str, Any], reported: tuple[object, ...]
) -> None:
    callbacks.receive("exited", body)
    assert (callbacks.exit_code, callbacks.reason, callbacks.detail) == reported


@pytest.mark.parametrize(
    ("reason", "coarse", "meant"),
    [
        ("self_initiated_leave", "stopped", "stopped"),
        ("left_alone_timeout", "stopped", "left_alone"),
        ("startup_alone_timeout", "stopped", "nobody_came"),
        ("removed_by_admin", "evicted", "evicted_from_meeting"),
        ("admission_false_positive", "stopped", "admission_false_positive"),
        ("normal_completion", "stopped", "meeting_ended"),
        ("admission_timeout", "awaiting_admission_timeout", "admission_timeout"),
        ("admission_never_admitted", "never_admitted", "admission_timeout"),
        ("join_meeting_error", "join_failure", "join_failure"),
        (None, "evicted", "evicted_from_meeting"),
        ("The host ended the bot.", "evicted", "evicted_from_meeting"),
        (None, "auth_session_missing", "sign_in_needed"),
        (None, None, None),
    ],
)
def test_the_words_of_vexas_bots_become_ushers(
    callbacks: ChildCallbacks, reason: str | None, coarse: str | None, meant: str | None
) -> None:
    callbacks.receive("status_change", {"status": "completed", "reason": reason, "completion_reason": coarse})
    assert callbacks.reason == meant


@pytest.mark.parametrize("participants", [None, "3", -1, 2**40])
def test_participants_that_make_no_sense_are_not_believed(callbacks: ChildCallbacks, participants: object) -> None:
    callbacks.receive("heartbeat", {"participants": 4})
    callbacks.receive("heartbeat", {"participants": participants})
    assert callbacks.participants == 4


def test_an_unknown_callback_changes_nothing(callbacks: ChildCallbacks, stages: list[Stage]) -> None:
    callbacks.receive("status", {"status": "needs_human_help"})
    callbacks.receive("speak", {})
    assert (stages, callbacks.joined.is_set(), callbacks.exit_code) == ([], False, None)
