"""How a bot's end is told: by the party that can know it, and never as completed if the bot was not in its meeting."""

from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.bots import RESERVED_AT, a_bot_row
from usher_models.db.bots import Bot
from usher_models.states import Desired, Reason, Status
from usher_operator.lifecycle.end_of_bot import end_of, needs_evidence


def a_bot(*, joined: bool = True, leave: str | None = None, **fields: Any) -> Bot:
    return a_bot_row(
        status=Status.ACTIVE if joined else Status.STARTING,
        joined_at=RESERVED_AT if joined else None,
        desired=Desired.LEAVE if leave else Desired.RUN,
        leave_reason=leave,
        **fields,
    )


ENDS = [
    pytest.param(a_bot(), 0, None, "completed", "left", id="left by itself"),
    pytest.param(a_bot(), 0, "meeting_ended", "completed", "meeting_ended", id="the meeting ended"),
    pytest.param(a_bot(), 3, None, "failed", "exit_code_3", id="crashed"),
    pytest.param(a_bot(), -9, None, "failed", "job_failed", id="no exit code"),
    pytest.param(a_bot(), 1, "no_browser", "failed", "no_browser", id="its own reason"),
    pytest.param(a_bot(leave="stopped"), 0, None, "completed", "stopped", id="asked to leave"),
    pytest.param(a_bot(leave="stopped"), 0, "stopped", "completed", "stopped", id="asked, and says so"),
    pytest.param(a_bot(leave="request_deleted"), 0, "stopped", "completed", "request_deleted", id="request deleted"),
    pytest.param(
        a_bot(leave="max_duration_exceeded"), 143, "terminated", "completed", "max_duration_exceeded", id="overdue"
    ),
    pytest.param(a_bot(leave="stopped"), 0, "meeting_ended", "completed", "meeting_ended", id="ended before it left"),
    pytest.param(a_bot(leave="stopped"), 9, None, "failed", "exit_code_9", id="crashed while it left"),
    pytest.param(a_bot(joined=False), 0, None, "failed", "left", id="left without having joined"),
    pytest.param(a_bot(joined=False, leave="stopped"), 0, None, "failed", "stopped", id="asked to leave the lobby"),
    pytest.param(replace(a_bot(), status=Status.STOPPING), 0, None, "completed", "left", id="left unasked"),
    pytest.param(
        replace(a_bot(), status=Status.STOPPING), 9, None, "failed", "exit_code_9", id="crashed while it left unasked"
    ),
    pytest.param(
        replace(a_bot(joined=False), status=Status.STOPPING),
        0,
        "full",
        "failed",
        "full",
        id="left unasked for a reason",
    ),
    pytest.param(a_bot(joined=False), 0, "lobby_rejected", "failed", "lobby_rejected", id="rejected"),
]


@pytest.mark.parametrize(("bot", "exit_code", "reason", "target", "told"), ENDS)
def test_the_row_and_the_report_say_how_a_bot_ended(
    bot: Bot, exit_code: int, reason: str | None, target: str, told: str
) -> None:
    end = end_of(bot, exit_code=exit_code, reason=reason)
    assert (end.target, end.reason) == (target, told)


@pytest.mark.parametrize("joined", [True, False])
@pytest.mark.parametrize(("exit_code", "reason"), [(0, "stopped"), (0, "terminated"), (143, "terminated")])
@pytest.mark.parametrize("evidence", [Reason.EVICTED, Reason.PREEMPTED, Reason.JOB_DELETED, None])
def test_a_bot_that_was_terminated_and_not_asked_fails_for_what_kubernetes_shows(
    joined: bool, exit_code: int, reason: str, evidence: Reason | None
) -> None:
    bot = a_bot(joined=joined)
    assert needs_evidence(bot, exit_code=exit_code, reason=reason)
    end = end_of(bot, exit_code=exit_code, reason=reason, evidence=evidence)
    assert (end.target, end.reason) == ("failed", evidence or "terminated")


@pytest.mark.parametrize(
    ("bot", "exit_code", "reason"),
    [
        (a_bot(leave="stopped"), 143, "terminated"),
        (a_bot(leave="stopped"), 0, "stopped"),
        (a_bot(), 0, None),
        (a_bot(), 0, "meeting_ended"),
        (a_bot(), 1, None),
    ],
)
def test_kubernetes_is_asked_only_about_what_it_alone_can_know(bot: Bot, exit_code: int, reason: str | None) -> None:
    assert not needs_evidence(bot, exit_code=exit_code, reason=reason)


@pytest.mark.parametrize("said", [None, "left"])
def test_a_bot_that_was_leaving_unasked_completes_its_meeting_though_joined_was_lost(said: str | None) -> None:
    bot = a_bot_row(status=Status.STOPPING, joined_at=None, desired=Desired.RUN, leave_reason=None)
    end = end_of(bot, exit_code=0, reason=said)
    assert (end.target, end.reason) == (Status.COMPLETED, "left")
