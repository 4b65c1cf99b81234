"""A bot's whole life, as a person sees it and as the database tells it."""

import time
from collections.abc import Iterator

import pytest

from dev.demo.api_writes import writes_of
from dev.demo.kubectl import cluster as dev_cluster
from tests.e2e.kit import Bot, Cluster, Record, User, eventually
from usher_operator.kube.adapter import NOT_ENDED

MEETING_S = 6
WRITES_AT_MOST = 6
# After the end is shown: its Event, and whatever should not come any more.
LAST_WRITES_S = 3


@pytest.fixture(scope="module")
def bot(cluster: Cluster, user: User) -> Iterator[Bot]:
    """A plain bot: it joins, the meeting ends by itself, and it leaves."""
    bot = cluster.a_bot(user, called="plain").boot(1).lobby(1).meeting(MEETING_S).apply()
    bot.wait_for("Joined")
    yield bot
    bot.delete()


def test_a_bot_in_its_meeting_shows_every_step_with_a_reason_and_a_sentence(bot: Bot) -> None:
    bot.wait_for("Joined")
    conditions = bot.conditions()
    assert {kind: condition["status"] for kind, condition in conditions.items()} == {
        "Accepted": "True",
        "SlotReserved": "True",
        "JobCreated": "True",
        "Started": "True",
        "Joined": "True",
        "Finished": "False",
    }
    generation = bot.object()["metadata"]["generation"]
    for condition in conditions.values():
        assert condition["reason"]
        assert condition["message"].endswith(".")
        assert condition["observedGeneration"] == generation
        assert condition["lastTransitionTime"]


def test_a_meeting_that_ends_by_itself_is_completed(bot: Bot) -> None:
    ending = bot.ended()
    assert (ending.phase, ending.reason) == ("completed", "MeetingEnded")
    status = bot.status
    assert status["observedGeneration"] == 1
    assert status["startTime"] <= status["endTime"]
    conditions = bot.conditions()
    assert {kind: condition["status"] for kind, condition in conditions.items()} == {
        "Accepted": "True",
        "SlotReserved": "False",
        "JobCreated": "True",
        "Started": "True",
        "Joined": "True",
        "Finished": "True",
    }
    assert conditions["SlotReserved"]["reason"] == "Released"


def test_who_lists_what_is_not_over_does_not_see_it(cluster: Cluster, bot: Bot) -> None:
    bot.ended()
    listed = cluster.kubectl.json("get", "br", "--field-selector", NOT_ENDED)["items"]
    assert bot.name not in [each["metadata"]["name"] for each in listed]
    over = cluster.kubectl.json("get", "br", "--field-selector", "status.phase=completed")["items"]
    assert bot.name in [each["metadata"]["name"] for each in over]


def test_the_story_has_one_row_for_each_change_and_each_has_its_author(bot: Bot) -> None:
    bot.ended()
    story = bot.story()
    assert [(step.seq, step.origin, step.target, step.source, step.reason) for step in story] == [
        (1, None, "reserved", "operator", "requested"),
        (2, "reserved", "starting", "bot", "started"),
        (3, "starting", "active", "bot", "joined"),
        (4, "active", "completed", "bot", "meeting_ended"),
    ]
    assert [step.at for step in story] == sorted(step.at for step in story)
    # The bot counts from its arrival, the row from when it heard of it: a slow callback makes the row's time shorter.
    in_meeting_s = (story[3].at - story[2].at).total_seconds()
    assert MEETING_S - 2 <= in_meeting_s <= MEETING_S + 5


def test_the_arrival_and_the_end_are_told_as_events(bot: Bot) -> None:
    bot.ended()
    events = eventually("both Events", lambda: bot.events() if len(bot.events()) > 1 else None)
    assert sorted((event["type"], event["reason"]) for event in events) == [
        ("Normal", "Joined"),
        ("Normal", "MeetingEnded"),
    ]


def test_a_plain_life_costs_at_most_six_writes_to_the_api_server(bot: Bot, record_property: Record) -> None:
    if dev_cluster("which").strip() == "current":
        pytest.skip("The audit log of a cluster of yours is not at hand.")
    bot.ended()
    time.sleep(LAST_WRITES_S)
    writes = writes_of(bot.name, job=bot.status["jobName"])
    for what, count in sorted(writes.items()):
        record_property(what, count)
    record_property("API writes in one life", writes.total())
    assert writes["create/jobs"] == 1
    assert writes.total() <= WRITES_AT_MOST


def test_kubectl_get_reads_well(cluster: Cluster, bot: Bot) -> None:
    bot.ended()
    header, line = cluster.kubectl("get", "br", bot.name).splitlines()
    assert header.split() == ["NAME", "USER", "PLATFORM", "MEETING", "STATUS", "REASON", "DRIVER", "AGE"]
    status = bot.status
    shown = [
        bot.name,
        str(status["userId"]),
        "jitsi",
        status["nativeMeetingId"],
        "completed",
        "MeetingEnded",
        "simulated",
    ]
    assert line.split()[:-1] == shown
    wide = cluster.kubectl("get", "br", bot.name, "--output", "wide").splitlines()[0]
    assert wide.split()[-3:] == ["STAGE", "MEETING-ID", "JOB"]


def test_kubectl_get_usher_lists_the_requests(cluster: Cluster, bot: Bot) -> None:
    assert f"botrequest.usher.dev/{bot.name}" in cluster.kubectl("get", "usher", "--output", "name").split()


def test_kubectl_explain_describes_every_field(cluster: Cluster, bot: Bot) -> None:
    explained = cluster.kubectl("explain", "botrequest.spec", "--recursive")
    for field in ("userId", "nativeMeetingId", "meetingUrl", "desiredState", "language", "maxDurationSeconds"):
        assert field in explained
    for path in ("spec", "spec.simulation", "status", "status.conditions"):
        explained = cluster.kubectl("explain", f"botrequest.{path}")
        assert "<no description>" not in explained.replace("\t", " ").split("FIELDS:")[-1]
        assert "FIELDS:" in explained
