"""The samples do what they say, for a user of this run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from dev.demo.kubectl import ROOT
from tests.e2e.kit import Bot, Cluster, User

SAMPLES = ROOT / "manifests/samples"


def test_the_sample_with_a_program_of_its_own_joins_and_is_completed(cluster: Cluster, user: User) -> None:
    with _applied(cluster, SAMPLES / "exec.yaml", user) as (bot,):
        bot.wait_for("Joined")
        assert bot.row()["status"] == "active"
        assert bot.ended().phase == "completed"
        assert [step.target for step in bot.story()][:3] == ["reserved", "starting", "active"]


def test_the_sample_over_the_cap_gets_two_bots_and_one_refusal(cluster: Cluster) -> None:
    user = cluster.a_user(cap=2)
    with _applied(cluster, SAMPLES / "over-cap.yaml", user) as bots:
        outcomes = [bot.wait_for("Accepted", value=_accepted(bot)).status for bot in bots]
        refused = [status for status in outcomes if status["phase"] == "refused"]
        assert len(refused) == 1
        assert refused[0]["reason"] == "CapReached"
        assert "(2)" in refused[0]["message"]
        for bot, status in zip(bots, outcomes, strict=True):
            if status["phase"] != "refused":
                bot.wait_for("Joined")
        assert len(cluster.rows(f"SELECT id FROM meetings WHERE user_id = {user.id}")) == 2


def test_the_sample_by_its_link_shows_what_the_link_says(cluster: Cluster, user: User) -> None:
    with _applied(cluster, SAMPLES / "zoom-by-url.yaml", user) as (bot,):
        bot.wait_for("Joined")
        status = bot.status
        assert (status["platform"], status["nativeMeetingId"]) == ("zoom", "85123456789")
        assert "s3cret" not in str(status)


def _accepted(bot: Bot) -> str:
    """Wait until the request is answered; how."""
    bot.wait_for_answer()
    return str(bot.conditions()["Accepted"]["status"])


@contextmanager
def _applied(cluster: Cluster, sample: Path, user: User) -> Iterator[list[Bot]]:
    """The requests of a sample, as that user's and under names of their own."""
    bodies: list[dict[str, Any]] = list(yaml.safe_load_all(sample.read_text()))
    for body in bodies:
        body["metadata"] = {"name": cluster.a_name(body["metadata"]["name"]), "labels": cluster.labels}
        del body["spec"]["userEmail"]
        body["spec"]["userId"] = user.id
    bots = cluster.apply_objects(bodies)
    yield bots
    for bot in bots:
        bot.delete()
