"""Bots that are asked to leave: in the meeting, in the lobby, and before anything of them runs."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import pytest

from tests.e2e.kit import Bot, Cluster, User

# How long a bot may need to leave that was told by Redis; by the next heartbeat it would be 5 s more.
PROMPTLY_S = 15


@dataclass(frozen=True, kw_only=True)
class Bots:
    """One at each place from which a bot can be asked to leave."""

    in_meeting: Bot
    in_lobby: Bot
    pending: Bot
    stillborn: Bot


@pytest.fixture(scope="module")
def bots(cluster: Cluster, user: User) -> Iterator[Bots]:
    """All of them, each where it should be and asked to leave there."""
    nowhere = {"example.com/absent": "yes"}
    in_meeting, in_lobby, pending, stillborn = cluster.apply(
        [
            cluster.a_bot(user, called="leave-meeting"),
            cluster.a_bot(user, called="leave-lobby").behaving("Lobby"),
            cluster.a_bot(user, called="leave-pending").asking(nodeSelector=nowhere),
            cluster.a_bot(user, called="leave-at-once").asking(desiredState="Left"),
        ]
    )
    pending.wait_for("JobCreated")
    pending.ask_to_leave()
    in_lobby.wait_for_row(stage="lobby")
    in_lobby.ask_to_leave()
    in_meeting.wait_for("Joined")
    in_meeting.ask_to_leave()
    bots = Bots(in_meeting=in_meeting, in_lobby=in_lobby, pending=pending, stillborn=stillborn)
    yield bots
    for bot in (in_meeting, in_lobby, pending, stillborn):
        bot.delete()


def test_a_bot_in_its_meeting_leaves_when_asked_and_says_so(bots: Bots) -> None:
    ending = bots.in_meeting.ended()
    assert (ending.phase, ending.reason) == ("completed", "Stopped")
    assert [(step.target, step.source) for step in bots.in_meeting.story()] == [
        ("reserved", "operator"),
        ("starting", "bot"),
        ("active", "bot"),
        ("stopping", "bot"),
        ("completed", "bot"),
    ]
    row = bots.in_meeting.row()
    asked_at, ended_at = (datetime.fromisoformat(row[name]) for name in ("leave_requested_at", "ended_at"))
    assert row["leave_reason"] == "stopped"
    assert (ended_at - asked_at).total_seconds() < PROMPTLY_S


def test_a_bot_in_the_lobby_leaves_when_asked_and_never_joins(bots: Bots) -> None:
    ending = bots.in_lobby.ended()
    assert (ending.phase, ending.reason) == ("failed", "Stopped"), "only a bot that was in its meeting completes it"
    assert "active" not in [step.target for step in bots.in_lobby.story()]
    joined = bots.in_lobby.conditions()["Joined"]
    assert (joined["status"], joined["reason"]) == ("False", "Stopped")


def test_a_bot_whose_pod_finds_no_node_is_stopped_before_its_start(bots: Bots) -> None:
    ending = bots.pending.ended()
    assert (ending.phase, ending.reason) == ("completed", "StoppedBeforeStart")
    assert [step.target for step in bots.pending.story()] == ["reserved", "completed"]
    bots.pending.wait_until_nothing_runs()


def test_a_request_that_is_born_with_the_wish_to_leave_never_has_a_job(bots: Bots) -> None:
    ending = bots.stillborn.ended()
    assert (ending.phase, ending.reason) == ("completed", "StoppedBeforeStart")
    assert bots.stillborn.row()["job_created_at"] is None
    assert bots.stillborn.jobs() == []


def test_a_leave_is_final(bots: Bots) -> None:
    assert "Running" in bots.in_meeting.refusal_of_edit(desiredState="Running")
