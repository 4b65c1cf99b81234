"""The callback server dies in the middle of meetings, and no bot is failed for it."""

import time

import pytest

from tests.e2e.kit import Cluster, Record, User, eventually

pytestmark = pytest.mark.alone


def test_bots_outlive_every_callback_server_being_killed(cluster: Cluster, user: User, record_property: Record) -> None:
    in_meeting = cluster.a_bot(user, called="outlives").meeting(35).apply().wait_for("Joined")
    starting = cluster.a_bot(user, called="outlives").boot(3).meeting(10).apply()
    starting.wait_for("JobCreated")
    began = time.monotonic()
    cluster.kill("serve")
    try:
        eventually("the servers to be gone", lambda: not cluster.ready("deployment/usher-serve"), within=20)
        eventually("one server to be back", lambda: cluster.ready("deployment/usher-serve"))
        record_property("nobody served for, s", f"{time.monotonic() - began:.1f}")
        endings = [bot.ended(within=120) for bot in (in_meeting, starting)]
        for bot in (in_meeting, starting):
            record_property(f"story of {bot.name}", " ".join(f"{step.target}({step.source})" for step in bot.story()))
    finally:
        cluster.wait_until_ready("deployment/usher-serve")
    assert [(ending.phase, ending.reason) for ending in endings] == [("completed", "MeetingEnded")] * 2
    for bot in (in_meeting, starting):
        bot.delete()


# Sweeps are at least 3 s apart here, and a bot is failed after 20 s of silence: this is more than twice that.
SWEEPS_OF_AN_OUTAGE = 15


def test_bots_outlive_an_outage_that_is_longer_than_the_silence_they_are_allowed(
    cluster: Cluster, user: User, record_property: Record
) -> None:
    """Three bots are too few for the hold on mass silence: what keeps them is the credit for Usher's own outage."""
    bots = [cluster.a_bot(user, called="patient").meeting(600).apply() for _ in range(3)]
    for bot in bots:
        bot.wait_for("Joined")
    began = time.monotonic()
    with cluster.without("serve", "deployment/usher-serve"):
        cluster.wait_for_sweeps(SWEEPS_OF_AN_OUTAGE)
        record_property("nobody served for, s", f"{time.monotonic() - began:.1f}")
    cluster.wait_for_sweeps(3)
    assert [bot.row()["status"] for bot in bots] == ["active"] * 3
    outages = cluster.rows("SELECT extract(epoch FROM ended_at - began_at) AS s FROM usher.outages ORDER BY ended_at")
    assert float(outages[-1]["s"]) > 40
    for bot in bots:
        bot.ask_to_leave()
    assert [(ending.phase, ending.reason) for ending in (bot.ended() for bot in bots)] == [("completed", "Stopped")] * 3
    for bot in bots:
        bot.delete()
