"""`kubectl delete` of a live BotRequest: it never hangs, the bot leaves by itself, and nothing stays behind."""

import pytest

from tests.e2e.kit import Cluster, User

# No finalizer, so nothing is waited for.
AT_ONCE_S = 10


def test_deleting_a_request_returns_at_once_and_the_bot_leaves_and_says_so(cluster: Cluster, user: User) -> None:
    bot = cluster.a_bot(user, called="deleted").apply().wait_for("Joined")
    assert bot.object()["metadata"].get("finalizers") is None
    assert bot.delete() < AT_ONCE_S
    row = bot.wait_for_row(status="completed")
    assert row["reason"] in ("stopped", "request_deleted")
    assert bot.story()[-1].source == "bot"
    bot.wait_until_nothing_runs()


def test_deleting_a_request_whose_pod_does_not_run_yet_ends_it(cluster: Cluster, user: User) -> None:
    bot = cluster.a_bot(user, called="deleted").asking(nodeSelector={"example.com/absent": "yes"}).apply()
    bot.wait_for("JobCreated")
    assert bot.delete() < AT_ONCE_S
    bot.wait_for_row(status="completed", reason="stopped_before_start")
    bot.wait_until_nothing_runs()


@pytest.mark.alone
def test_with_the_operator_away_a_deleted_bot_still_leaves_and_says_so(cluster: Cluster, user: User) -> None:
    meant, killed = cluster.apply(
        [cluster.a_bot(user, called="deleted"), cluster.a_bot(user, called="deleted").behaving("IgnoreLeave")]
    )
    meant.wait_for("Joined")
    killed.wait_for("Joined")
    with cluster.without("operate", "deployment/usher-operate"):
        assert meant.delete() < AT_ONCE_S
        assert killed.delete() < AT_ONCE_S
        # Garbage collection ends the pod, the bot reports to serve, and serve closes the row: nobody else is there.
        meant.wait_for_row(status="completed")
        assert meant.story()[-1].source == "bot"
        meant.wait_until_nothing_runs()
        killed.wait_until_nothing_runs()
        assert killed.row()["status"] == "active"
    # That one was killed without a word: the reconciler closes what nobody could report.
    assert killed.wait_for_row(status="failed")["reason"] == "request_deleted"
    for bot in (meant, killed):
        assert bot.jobs() == []
        assert bot.pods() == []
        assert len(cluster.rows(f"SELECT 1 FROM usher.bots WHERE connection_id = '{bot.uid}'")) == 1
