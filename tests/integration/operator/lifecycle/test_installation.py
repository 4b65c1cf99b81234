"""Two installations in one namespace: neither touches, lists or judges what the other owns."""

import asyncio

import pytest

from tests.fakes.kube import FakeKube
from tests.fakes.objects import a_botrequest
from tests.fakes.settings import INSTALLATION
from tests.integration.operator.plane import Plane
from tests.scenario import Scenario
from usher_models.db.engine import Database
from usher_models.db.installation import installation_id
from usher_operator.kube.botrequest import BotRequest
from usher_operator.lifecycle.create_request import RequestCreator
from usher_operator.lifecycle.installation import ForeignNamespace, check_namespace
from usher_operator.processes.operate import wait_for_installation
from usher_operator.reconcile.epoch.store import EpochStore

OTHER = "0c1d2e3f-another-installation"


NO_STORE = EpochStore(kube=FakeKube(), namespace="", name="")


async def foreign_bot(plane: Plane, given: Scenario) -> None:
    """A live bot of another installation, with its BotRequest and its Job; this database has no row of it."""
    bot = plane.in_kubernetes(await given.a_bot().with_job().active())
    plane.kube.jobs["bots", bot.job_name]["metadata"]["labels"]["usher.dev/installation"] = OTHER
    plane.kube.requests["bots", str(bot.request_name)]["status"] = {"installation": OTHER, "phase": "active"}
    await given.execute("DELETE FROM usher.bots")
    await given.execute("DELETE FROM meeting_sessions")
    await given.execute("DELETE FROM meetings")


async def test_what_another_installation_owns_is_neither_ended_nor_refused_nor_written(
    plane: Plane, given: Scenario
) -> None:
    await foreign_bot(plane, given)
    plane.kube.installation = INSTALLATION
    before = dict(plane.kube.jobs), dict(plane.kube.requests), dict(plane.kube.pods)
    for _ in range(5):
        await plane.tick(after=60)
        await plane.status_writer.write_changes()
    assert (plane.kube.jobs, plane.kube.requests, plane.kube.pods) == before
    assert plane.kube.writes == []


async def test_a_namespace_of_another_installation_is_refused_with_a_sentence(plane: Plane, given: Scenario) -> None:
    await foreign_bot(plane, given)
    with pytest.raises(
        ForeignNamespace, match="Namespace bots has 2 Jobs or BotRequests of another Usher installation"
    ):
        await check_namespace(plane.kube, "bots", installation=INSTALLATION)
    await check_namespace(plane.kube, "bots", installation=OTHER)
    await check_namespace(plane.kube, "elsewhere", installation=INSTALLATION)


async def test_own_and_unclaimed_objects_are_no_reason_to_refuse_a_namespace(plane: Plane, given: Scenario) -> None:
    plane.in_kubernetes(await given.a_bot().with_job().active())
    plane.kube.apply(a_botrequest("new", uid="new"))
    await check_namespace(plane.kube, "bots", installation=INSTALLATION)


async def test_a_request_of_the_rest_api_carries_the_installation(plane: Plane, given: Scenario) -> None:
    bot = await given.a_bot(request_uid=None)
    await RequestCreator(database=plane.database, kube=plane.kube).request(bot)
    async with plane.database.reading() as connection:
        own = str(await installation_id(connection))
    (body,) = plane.kube.requests.values()
    assert BotRequest.from_object(body).installation == own


async def test_the_jobs_and_pods_of_an_installation_carry_its_id(plane: Plane, given: Scenario) -> None:
    await plane.ensure(plane.a_request_of(await given.a_user()))
    (job,) = plane.kube.jobs.values()
    for metadata in (job["metadata"], job["spec"]["template"]["metadata"]):
        assert metadata["labels"]["usher.dev/installation"] == INSTALLATION


async def test_the_start_waits_for_the_database(
    database: Database, no_database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("usher_operator.processes.operate.RETRY_S", 0.01)
    stop = asyncio.Event()
    waiting = asyncio.create_task(wait_for_installation(no_database, stop, NO_STORE))
    async with asyncio.timeout(5):
        while not caplog.records:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)
    stop.set()
    assert await waiting is None
    assert caplog.records[0].getMessage().startswith("Waiting for the database: ")
    assert await wait_for_installation(database, asyncio.Event(), NO_STORE) is not None
