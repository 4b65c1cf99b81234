"""Every way a bot is known to die or to go silent, all at once; each test looks at one of them.

The clocks of the development cluster are short: 20 s of silence, 45 s to start, 10 s to obey, 20 s between SIGTERM and
SIGKILL, a sweep every 3 s.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.e2e.kit import Bot, Cluster, Record, User

HEARTBEAT_INTERVAL_S = 5
HEARTBEAT_TIMEOUT_S = 20
RESERVED_TIMEOUT_S = 45
LEAVE_GRACE_S = 10
TERMINATION_GRACE_S = 20
# Up to four sweeps, and a busy machine.
SLACK_S = 15
CRASH_AFTER_S = 2


@dataclass(frozen=True, kw_only=True)
class MisbehavingBots:
    """One bot of each kind."""

    crash: Bot
    oom: Bot
    unpullable: Bot
    silent: Bot
    hang: Bot
    ignores_leave: Bot
    denied: Bot
    evicted: Bot
    unadmitted: Bot


@pytest.fixture(scope="module")
def bots(cluster: Cluster, user: User) -> Iterator[MisbehavingBots]:
    """All of them, started together."""
    little_memory = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "96Mi"}}
    requests = {
        "crash": cluster.a_bot(user, called="crash").behaving("Crash", after=CRASH_AFTER_S, exit_code=42),
        "oom": cluster.a_bot(user, called="oom").behaving("OutOfMemory", after=2).asking(resources=little_memory),
        "unpullable": cluster.a_bot(user, called="unpullable").asking(image="usher.dev/absent:none"),
        "silent": cluster.a_bot(user, called="silent").behaving("Silent"),
        "hang": cluster.a_bot(user, called="hang").behaving("Hang", after=1),
        "ignores_leave": cluster.a_bot(user, called="ignores-leave").behaving("IgnoreLeave"),
        "denied": cluster.a_bot(user, called="denied").lobby(1).behaving("Denied"),
        "evicted": cluster.a_bot(user, called="evicted").behaving("Evicted", after=1),
        "unadmitted": cluster.a_bot(user, called="unadmitted").behaving("Lobby").asking(lobbyTimeoutSeconds=10),
    }
    applied = cluster.apply(list(requests.values()))
    bots = MisbehavingBots(**dict(zip(requests, applied, strict=True)))
    bots.ignores_leave.wait_for("Joined")
    bots.ignores_leave.ask_to_leave()
    yield bots
    for bot in applied:
        bot.delete()


def test_a_crash_is_told_by_its_exit_code_within_seconds(bots: MisbehavingBots, record_property: Record) -> None:
    ending = bots.crash.ended()
    assert (ending.phase, ending.reason) == ("failed", "ExitCode42")
    assert "42" in ending.message
    last = bots.crash.story()[-1]
    assert (last.source, last.detail["exit_code"]) == ("evidence", 42)
    took_s = (last.at - bots.crash.moved_at("active")).total_seconds() - CRASH_AFTER_S
    record_property("from the crash to failed, s", f"{took_s:.1f}")
    assert took_s < SLACK_S
    assert [event["type"] for event in bots.crash.events() if event["reason"] == "ExitCode42"] == ["Warning"]


def test_a_bot_that_runs_out_of_memory_is_told_apart_from_a_crash(bots: MisbehavingBots) -> None:
    ending = bots.oom.ended()
    assert (ending.phase, ending.reason) == ("failed", "OomKilled")
    assert "memory" in ending.message


def test_a_bot_that_is_refused_in_the_lobby_fails_with_its_own_reason(bots: MisbehavingBots) -> None:
    ending = bots.denied.ended()
    assert (ending.phase, ending.reason) == ("failed", "AdmissionDenied")
    assert bots.denied.conditions()["Joined"]["status"] == "False"


def test_a_bot_that_nobody_lets_in_gives_up_after_its_lobby_budget(bots: MisbehavingBots) -> None:
    ending = bots.unadmitted.ended()
    assert (ending.phase, ending.reason) == ("failed", "AdmissionTimeout")


def test_a_bot_that_is_put_out_of_its_meeting_is_completed(bots: MisbehavingBots) -> None:
    ending = bots.evicted.ended()
    assert (ending.phase, ending.reason) == ("completed", "EvictedFromMeeting")


@pytest.mark.parametrize("kind", ["silent", "hang"])
def test_a_bot_that_goes_silent_is_failed_after_the_timeout_and_removed(
    bots: MisbehavingBots, kind: str, record_property: Record
) -> None:
    bot: Bot = getattr(bots, kind)
    ending = bot.ended()
    assert (ending.phase, ending.reason) == ("failed", "HeartbeatLost")
    last = bot.story()[-1]
    assert last.source == "reconciler"
    silent_s = (last.at - bot.moved_at("active")).total_seconds()
    record_property("from joining to failed, s", f"{silent_s:.1f}")
    # A beat of the first second may have been heard.
    assert HEARTBEAT_TIMEOUT_S <= silent_s < HEARTBEAT_TIMEOUT_S + SLACK_S
    bot.wait_until_nothing_runs()


def test_a_bot_that_ignores_the_wish_to_leave_is_killed_in_the_end(
    bots: MisbehavingBots, record_property: Record
) -> None:
    ending = bots.ignores_leave.ended()
    assert (ending.phase, ending.reason) == ("failed", "LeaveIgnored")
    took_s = (bots.ignores_leave.story()[-1].at - bots.ignores_leave.asked_to_leave_at()).total_seconds()
    record_property("from the wish to the end, s", f"{took_s:.1f}")
    # A bot ignores its leave when a heartbeat comes after the grace.
    assert took_s < LEAVE_GRACE_S + HEARTBEAT_INTERVAL_S + TERMINATION_GRACE_S + SLACK_S
    assert bots.ignores_leave.pods() == []
    assert bots.ignores_leave.jobs() == []


def test_an_image_that_cannot_be_pulled_fails_the_bot_at_the_deadline_and_says_why(
    bots: MisbehavingBots, record_property: Record
) -> None:
    ending = bots.unpullable.ended()
    assert (ending.phase, ending.reason) == ("failed", "NeverStarted")
    assert "ImagePullBackOff" in ending.message or "ErrImagePull" in ending.message
    last = bots.unpullable.story()[-1]
    waited_s = (last.at - bots.unpullable.moved_at("reserved")).total_seconds()
    record_property("from the reservation to failed, s", f"{waited_s:.1f}")
    assert RESERVED_TIMEOUT_S <= waited_s < RESERVED_TIMEOUT_S + SLACK_S
    assert "usher.dev/absent:none" in str(last.detail)
    bots.unpullable.wait_until_nothing_runs()


def test_the_slot_of_a_bot_that_crashed_is_free_again(cluster: Cluster) -> None:
    user = cluster.a_user(cap=1)
    crash = cluster.a_bot(user, called="crash").behaving("Crash", exit_code=3).apply()
    assert crash.ended().phase == "failed"
    successor = cluster.a_bot(user, called="successor").apply()
    successor.wait_for("Joined")
    assert successor.row()["status"] == "active"
    for bot in (crash, successor):
        bot.delete()
