"""The operator dies between any two of its steps, and what was asked for still happens, once."""

import json

import pytest

from tests.e2e.kit import Bot, Cluster, User

pytestmark = pytest.mark.alone

# What `ensure` does first, by its own functions, and no more: the operator dies right after its commit.
RESERVE_ONLY = """
import asyncio, json, sys
from usher_models.db import reservations
from usher_models.db.engine import Database
from usher_operator.kube.botrequest import BotRequest
from usher_operator.lifecycle.reservation import of_request
from usher_operator.settings import load

async def main():
    request = BotRequest.from_object(json.load(sys.stdin))
    url = load().database_url.get_secret_value()
    database = Database.connect(url, pool_size=2, application_name="usher-test")
    async with database.transaction() as connection:
        wanted = of_request(request, user_id=request.spec().user_id, default_driver="simulated")
        await reservations.reserve(connection, wanted)
    await database.close()

asyncio.run(main())
"""


def test_an_operator_that_dies_between_reservation_and_job_makes_the_job_when_it_is_back(
    cluster: Cluster, user: User
) -> None:
    with cluster.without("operate", "deployment/usher-operate"):
        bot = cluster.a_bot(user, called="half-done").apply()
        serve = ("exec", "--stdin", "deployment/usher-serve", "--container", "serve", "--")
        cluster.system(*serve, "python3", "-c", RESERVE_ONLY, stdin=json.dumps(bot.object()))
        assert bot.row()["status"] == "reserved"
        assert bot.jobs() == []
    bot.wait_for("Joined")
    assert len(bot.jobs()) == 1
    _assert_reserved_once(cluster, bot, user)
    bot.delete()


def test_an_operator_that_is_killed_while_requests_pour_in_loses_none_and_doubles_none(
    cluster: Cluster,
) -> None:
    user = cluster.a_user(cap=5)
    with cluster.begin_to_kill("operate") as killing:
        bots = cluster.apply([cluster.a_bot(user, called="poured") for _ in range(5)])
        assert killing.wait(timeout=60) == 0
    for bot in bots:
        bot.wait_for("Joined")
    for bot in bots:
        _assert_reserved_once(cluster, bot, user)
        assert len(bot.jobs()) == 1
        assert len(bot.pods()) == 1
    rows = cluster.rows(f"SELECT status FROM meetings WHERE user_id = {user.id}")
    assert [row["status"] for row in rows] == ["active"] * 5
    cluster.wait_until_ready("deployment/usher-operate")
    for bot in bots:
        bot.delete()


def _assert_reserved_once(cluster: Cluster, bot: Bot, user: User) -> None:
    meetings = cluster.rows(
        f"SELECT id FROM meetings WHERE user_id = {user.id} AND platform_specific_id = '{bot.native_id}'"
    )
    assert len(meetings) == 1
    assert [step.target for step in bot.story()].count("reserved") == 1
