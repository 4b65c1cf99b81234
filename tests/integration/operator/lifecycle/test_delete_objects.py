"""BotRequests that go: when their time is up, and when the owner of the meeting erases it; and no other."""

from typing import Any

import pytest

from tests.fakes.objects import a_botrequest
from tests.integration.operator.plane import Plane
from tests.scenario import Scenario
from usher_models.db import meetings, object_deletions
from usher_models.db.bots import Bot
from usher_models.db.leader_lock import UNFENCED
from usher_models.errors import KubernetesUnavailable
from usher_operator.lifecycle.delete_objects import ObjectDeleter

SECRET = "TopSecret77"


@pytest.fixture
def deleter(plane: Plane) -> ObjectDeleter:
    return ObjectDeleter(database=plane.database, kube=plane.kube, fence=UNFENCED)


async def ended(plane: Plane, given: Scenario, *, ago: float, **request: Any) -> Bot:
    """A bot that ended, with its BotRequest and its Job."""
    bot = await given.a_bot(**request).with_job().active().completed().waited(ago)
    return plane.in_kubernetes(bot)


async def erase(plane: Plane, bot: Bot) -> None:
    async with plane.database.transaction() as connection:
        record = await meetings.meeting(connection, bot.meeting_id, user_id=bot.user_id)
        await meetings.forget(connection, record)


def names(plane: Plane) -> set[str]:
    return {name for _, name in plane.kube.requests}


async def test_a_request_goes_when_its_time_is_up(plane: Plane, given: Scenario, deleter: ObjectDeleter) -> None:
    over = await ended(plane, given, ago=601, request_ttl_s=600)
    fresh = await ended(plane, given, ago=599, request_ttl_s=600)
    kept = await ended(plane, given, ago=10_000)
    live = plane.in_kubernetes(await given.a_bot(request_ttl_s=0).with_job().active().waited(10_000).beating())
    assert await deleter.delete_due() == 1
    assert names(plane) == {str(bot.request_name) for bot in (fresh, kept, live)}
    assert ("bots", over.job_name) not in plane.kube.jobs, "collected with its owner"
    assert await deleter.delete_due() == 0


async def test_a_later_request_of_the_same_name_stays(plane: Plane, given: Scenario, deleter: ObjectDeleter) -> None:
    bot = await ended(plane, given, ago=10, request_ttl_s=0)
    plane.kube.requests["bots", str(bot.request_name)]["metadata"]["uid"] = "its-successor"
    assert [await deleter.delete_due() for _ in range(2)] == [1, 0]
    assert names(plane) == {str(bot.request_name)}


async def test_a_deletion_that_fails_is_repeated_and_holds_up_no_other(
    plane: Plane, given: Scenario, deleter: ObjectDeleter
) -> None:
    for _ in range(3):
        await ended(plane, given, ago=10, request_ttl_s=0)
    plane.kube.fail("delete_request", KubernetesUnavailable())
    assert [await deleter.delete_due() for _ in range(2)] == [3, 0]
    assert len(names(plane)) == 1
    await given.execute("UPDATE usher.bots SET delete_after = now()")
    assert await deleter.delete_due() == 1
    assert names(plane) == set()


async def test_an_erased_meeting_leaves_nothing_private_in_kubernetes(
    plane: Plane, given: Scenario, deleter: ObjectDeleter
) -> None:
    bot = await ended(plane, given, ago=10, config={"passcode": SECRET})
    plane.kube.requests["bots", str(bot.request_name)]["spec"]["passcode"] = SECRET
    assert SECRET in str(plane.kube.jobs)
    await erase(plane, bot)
    async with plane.database.reading() as connection:
        assert await object_deletions.is_pending(connection, bot.meeting_id)
    await deleter.delete_due()
    assert SECRET not in str(plane.kube.requests) + str(plane.kube.jobs)
    async with plane.database.reading() as connection:
        assert not await object_deletions.is_pending(connection, bot.meeting_id)


async def test_an_erasure_with_the_api_server_away_is_done_later(
    plane: Plane, given: Scenario, deleter: ObjectDeleter
) -> None:
    bot = await ended(plane, given, ago=10)
    await erase(plane, bot)
    plane.kube.away = True
    await deleter.delete_due()
    plane.kube.away = False
    await given.execute("UPDATE usher.bots SET delete_after = now()")
    await deleter.delete_due()
    assert (plane.kube.requests, plane.kube.jobs) == ({}, {})


async def test_a_job_without_its_request_is_erased_too(plane: Plane, given: Scenario, deleter: ObjectDeleter) -> None:
    """An owner without garbage collection, or a request that was deleted with its dependents orphaned."""
    bot = await ended(plane, given, ago=10)
    plane.kube.requests.clear()
    await erase(plane, bot)
    await deleter.delete_due()
    assert plane.kube.jobs == {}


async def test_a_meeting_that_never_was_in_kubernetes_is_not_pending(plane: Plane, given: Scenario) -> None:
    bot = await given.a_bot(request_name=None, request_uid=None).active().completed()
    async with plane.database.reading() as connection:
        assert not await object_deletions.is_pending(connection, bot.meeting_id)


async def test_requests_say_by_their_spec_when_they_go(plane: Plane, given: Scenario) -> None:
    user = await given.a_user()
    for name, spec in (("kept", {}), ("gone", {"requestTtlSecondsAfterFinished": 5})):
        await plane.ensure(plane.a_request_of(user, name, **spec))
    ttls = await given.scalar("SELECT array_agg(request_ttl_s ORDER BY request_name) FROM usher.bots")
    assert ttls == [5, None]
    assert a_botrequest()["spec"].get("requestTtlSecondsAfterFinished") is None
