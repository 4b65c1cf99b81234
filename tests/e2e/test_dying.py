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
class Zoo:
    """One bot of each kind."""

    crash: Bot
    oom: Bot
    unpullable: Bot
    silent: Bot
    hang: Bot
    deaf: Bot
    denied: Bot
    evicted: Bot
    dawdler: Bot


@pytest.fixture(scope="module")
def zoo(cluster: Cluster, user: User) -> Iterator[Zoo]:
    """All of them, started together."""
    little_memory = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "96Mi"}}
    wishes = {
        "crash": cluster.a_bot(user, called="crash").behaving("Crash", after=CRASH_AFTER_S, exit_code=42),
        "oom": cluster.a_bot(user, called="oom").behaving("OutOfMemory", after=2).asking(resources=little_memory),
        "unpullable": cluster.a_bot(user, called="unpullable").asking(image="usher.dev/absent:none"),
        "silent": cluster.a_bot(user, called="silent").behaving("Silent"),
        "hang": cluster.a_bot(user, called="hang").behaving("Hang", after=1),
        "deaf": cluster.a_bot(user, called="deaf").behaving("IgnoreLeave"),
        "denied": cluster.a_bot(user, called="denied").lobby(1).behaving("Denied"),
        "evicted": cluster.a_bot(user, called="evicted").behaving("Evicted", after=1),
        "dawdler": cluster.a_bot(user, called="dawdler").behaving("Lobby").asking(lobbyTimeoutSeconds=10),
    }
    bots = cluster.apply(list(wishes.values()))
    zoo = Zoo(**dict(zip(wishes, bots, strict=True)))
    zoo.deaf.wait_for("Joined")
    zoo.deaf.ask_to_leave()
    yield zoo
    for bot in bots:
        bot.delete()


def test_a_crash_is_told_by_its_exit_code_within_seconds(zoo: Zoo, record_property: Record) -> None:
    ending = zoo.crash.ended()
    assert (ending.phase, ending.reason) == ("failed", "ExitCode42")
    assert "42" in ending.message
    last = zoo.crash.story()[-1]
    assert (last.source, last.detail["exit_code"]) == ("evidence", 42)
    took_s = (last.at - zoo.crash.moved_at("active")).total_seconds() - CRASH_AFTER_S
    record_property("from the crash to failed, s", f"{took_s:.1f}")
    assert took_s < SLACK_S
    assert [event["type"] for event in zoo.crash.events() if event["reason"] == "ExitCode42"] == ["Warning"]


def test_a_bot_that_runs_out_of_memory_is_told_apart_from_a_crash(zoo: Zoo) -> None:
    ending = zoo.oom.ended()
    assert (ending.phase, ending.reason) == ("failed", "OomKilled")
    assert "memory" in ending.message


def test_a_bot_that_is_refused_in_the_lobby_fails_with_its_own_reason(zoo: Zoo) -> None:
    ending = zoo.denied.ended()
    assert (ending.phase, ending.reason) == ("failed", "AdmissionDenied")
    assert zoo.denied.conditions()["Joined"]["status"] == "False"


def test_a_bot_that_nobody_lets_in_gives_up_after_its_lobby_budget(zoo: Zoo) -> None:
    ending = zoo.dawdler.ended()
    assert (ending.phase, ending.reason) == ("failed", "AdmissionTimeout")


def test_a_bot_that_is_put_out_of_its_meeting_is_completed(zoo: Zoo) -> None:
    ending = zoo.evicted.ended()
    assert (ending.phase, ending.reason) == ("completed", "EvictedFromMeeting")


@pytest.mark.parametrize("kind", ["silent", "hang"])
def test_a_bot_that_goes_silent_is_failed_after_the_timeout_and_removed(
    zoo: Zoo, kind: str, record_property: Record
) -> None:
    bot: Bot = getattr(zoo, kind)
    ending = bot.ended()
    assert (ending.phase, ending.reason) == ("failed", "HeartbeatLost")
    last = bot.story()[-1]
    assert last.source == "reconciler"
    silent_s = (last.at - bot.moved_at("active")).total_seconds()
    record_property("from joining to failed, s", f"{silent_s:.1f}")
    # A beat of the first second may have been heard.
    assert HEARTBEAT_TIMEOUT_S <= silent_s < HEARTBEAT_TIMEOUT_S + SLACK_S
    bot.wait_until_nothing_runs()


def test_a_bot_that_ignores_the_wish_to_leave_is_killed_in_the_end(zoo: Zoo, record_property: Record) -> None:
    ending = zoo.deaf.ended()
    assert (ending.phase, ending.reason) == ("failed", "LeaveIgnored")
    took_s = (zoo.deaf.story()[-1].at - zoo.deaf.asked_to_leave_at()).total_seconds()
    record_property("from the wish to the end, s", f"{took_s:.1f}")
    # Deaf is who is heard after the grace.
    assert took_s < LEAVE_GRACE_S + HEARTBEAT_INTERVAL_S + TERMINATION_GRACE_S + SLACK_S
    assert zoo.deaf.pods() == []
    assert zoo.deaf.jobs() == []


def test_an_image_that_cannot_be_pulled_fails_the_bot_at_the_deadline_and_says_why(
    zoo: Zoo, record_property: Record
) -> None:
    ending = zoo.unpullable.ended()
    assert (ending.phase, ending.reason) == ("failed", "NeverStarted")
    assert "ImagePullBackOff" in ending.message or "ErrImagePull" in ending.message
    last = zoo.unpullable.story()[-1]
    waited_s = (last.at - zoo.unpullable.moved_at("reserved")).total_seconds()
    record_property("from the reservation to failed, s", f"{waited_s:.1f}")
    assert RESERVED_TIMEOUT_S <= waited_s < RESERVED_TIMEOUT_S + SLACK_S
    assert "usher.dev/absent:none" in str(last.detail)
    zoo.unpullable.wait_until_nothing_runs()


def test_the_slot_of_a_bot_that_crashed_is_free_again(cluster: Cluster) -> None:
    user = cluster.a_user(cap=1)
    crash = cluster.a_bot(user, called="crash").behaving("Crash", exit_code=3).apply()
    assert crash.ended().phase == "failed"
    successor = cluster.a_bot(user, called="successor").apply()
    successor.wait_for("Joined")
    assert successor.row()["status"] == "active"
    for bot in (crash, successor):
        bot.delete()
