"""The callback server dies in the middle of meetings, and no bot is failed for it."""

from tests.e2e.kit import Cluster, Record, User


def test_bots_outlive_every_callback_server_being_killed(cluster: Cluster, user: User, record_property: Record) -> None:
    in_meeting = cluster.a_bot(user, called="outlives").meeting(35).apply().wait_for("Joined")
    starting = cluster.a_bot(user, called="outlives").boot(3).meeting(10).apply()
    starting.wait_for("JobCreated")
    cluster.kill("serve")
    try:
        endings = [bot.ended(within=120) for bot in (in_meeting, starting)]
        for bot in (in_meeting, starting):
            record_property(f"story of {bot.name}", " ".join(f"{step.target}({step.source})" for step in bot.story()))
    finally:
        cluster.wait_until_ready("usher-serve")
    assert [(ending.phase, ending.reason) for ending in endings] == [("completed", "MeetingEnded")] * 2
    for bot in (in_meeting, starting):
        bot.delete()
