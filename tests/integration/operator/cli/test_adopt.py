"""`usher adopt` says of each bot without a row what the next sweep does with it, and does it with --apply."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.fakes.kube import FakeKube
from tests.integration.operator.cli.conftest import Usher
from tests.integration.operator.plane import Plane
from tests.integration.operator.reconcile.repairs.test_lost_row import a_running_bot, lose
from tests.scenario import Scenario
from usher_models.errors import KubernetesUnavailable
from usher_operator.kube.adapter import KubeAdapter


@pytest.fixture(autouse=True)
def cluster(monkeypatch: pytest.MonkeyPatch, kube: FakeKube) -> None:
    """The command finds this cluster, and serves the namespace of the tests."""

    @asynccontextmanager
    async def connect() -> AsyncIterator[FakeKube]:
        yield kube

    monkeypatch.setattr(KubeAdapter, "connect", connect)
    monkeypatch.setenv("USHER_NAMESPACES", "bots")


async def listed(usher: Usher, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((await usher("adopt", "--json", *arguments)).splitlines()[-1])
    return found


async def test_nothing_is_found_where_every_bot_has_its_row(plane: Plane, given: Scenario, usher: Usher) -> None:
    await a_running_bot(plane, await given.a_user())
    assert await usher("adopt") == "Every bot that runs has its row.\n"
    assert await listed(usher) == []


async def test_a_dry_run_says_what_would_be_adopted_and_writes_nothing(
    plane: Plane, given: Scenario, usher: Usher
) -> None:
    user = await given.a_user()
    _, bot = await a_running_bot(plane, user)
    await lose(given, bot)
    (found,) = await listed(usher, "--dry-run")
    assert (found["meeting_id"], found["user_id"], found["request"]) == (bot.meeting_id, user.id, "standup")
    assert (found["outcome"], found["why"]) == ("adoptable", None)
    assert await given.scalar("SELECT count(*) FROM usher.bots") == 0


async def test_apply_puts_the_row_back_as_the_sweep_does(plane: Plane, given: Scenario, usher: Usher) -> None:
    request, bot = await a_running_bot(plane, await given.a_user())
    await lose(given, bot)
    assert "Put back 1 rows." in await usher("adopt", "--apply")
    back = await plane.bot_of(request)
    assert back is not None
    assert (back.meeting_id, back.reason) == (bot.meeting_id, "adopted_after_restore")
    assert await usher("adopt", "--apply") == "Every bot that runs has its row.\n"


async def test_it_says_whose_bots_are_left_and_why(plane: Plane, given: Scenario, usher: Usher) -> None:
    _, gone = await a_running_bot(plane, await given.a_user(), "gone")
    _, orphan = await a_running_bot(plane, await given.a_user(), "orphan")
    _, taken = await a_running_bot(plane, await given.a_user(), "taken")
    for bot in (gone, orphan, taken):
        await lose(given, bot)
    await given.execute("DELETE FROM users WHERE id = :id", id=gone.user_id)
    del plane.kube.requests["bots", "orphan"]
    await given.execute(
        "INSERT INTO meetings (id, user_id, platform, platform_specific_id, status)"
        " VALUES (:id, :user, 'x', 'y', 'active')",
        id=taken.meeting_id,
        user=taken.user_id,
    )
    found = {each["job"]: each["why"] for each in await listed(usher, "--apply")}
    assert found == {
        gone.job_name: "user_unknown",
        orphan.job_name: "request_gone",
        taken.job_name: "id_taken",
    }


async def test_the_table_is_readable_in_80_columns(plane: Plane, given: Scenario, usher: Usher) -> None:
    _, bot = await a_running_bot(plane, await given.a_user(), "standup-of-the-backend")
    await lose(given, bot)
    await given.execute("DELETE FROM users WHERE id = :id", id=bot.user_id)
    said = await usher("adopt", width=80)
    table = [line for line in said.splitlines() if line.startswith(("│", "┃"))]
    assert all(len(line) <= 80 for line in table)
    assert any(str(bot.meeting_id) in line and "user_unknown" in line for line in table)
    assert "user_unknown: The database does not have its user" in said


async def test_what_belongs_to_another_installation_is_only_counted(
    plane: Plane, given: Scenario, usher: Usher
) -> None:
    _, bot = await a_running_bot(plane, await given.a_user())
    await lose(given, bot)
    plane.kube.jobs["bots", bot.job_name]["metadata"]["labels"]["usher.dev/installation"] = "another"
    said = await usher("adopt", "--apply")
    assert "1 Jobs or BotRequests belong to another installation" in said
    assert await given.scalar("SELECT count(*) FROM usher.bots") == 0


async def test_a_cluster_that_is_away_ends_it_with_a_sentence(plane: Plane, usher: Usher) -> None:
    plane.kube.fail("list_jobs", KubernetesUnavailable("The API server does not answer."))
    assert await usher("adopt", code=1) == "The API server does not answer.\n"
