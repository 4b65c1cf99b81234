"""A database that goes back ends no healthy bot, starts no second one, and gives out no id twice."""

import pytest

from tests.databases import Server
from tests.fakes.epoch import EPOCH
from tests.fakes.settings import INSTALLATION
from tests.integration.operator.plane import Plane
from tests.integration.operator.reconcile.epoch.fleet import BOTS, Fleet
from tests.scenario import Scenario
from usher_models.db import upgrade
from usher_models.db.leader_lock import UNFENCED
from usher_models.errors import DatabaseWentBack, KubernetesUnavailable
from usher_models.states import Reason, Source, Status
from usher_operator.lifecycle.delete_objects import ObjectDeleter
from usher_operator.lifecycle.hold import HeldFence

pytestmark = [pytest.mark.own_database, pytest.mark.direct]

LOST = ("usher.bots", "usher.heartbeats", "usher.transitions", "usher.webhook_deliveries", "meeting_sessions")


async def lose_newest(fleet: Fleet, count: int) -> None:
    """Take back the newest meetings, as the loss of the last commits does."""
    rows = "(SELECT max(id) FROM meetings) - :count"
    for table in LOST:
        await fleet.plane.given.execute(f"DELETE FROM {table} WHERE meeting_id > {rows}", count=count)
    await fleet.plane.given.execute(f"DELETE FROM meetings WHERE id > {rows}", count=count)


async def lose_newest_of_kubernetes(fleet: Fleet) -> None:
    """Take back the row of the newest bot that runs."""
    newest = max(fleet.used_ids())
    for table in LOST:
        await fleet.plane.given.execute(f"DELETE FROM {table} WHERE meeting_id = :id", id=newest)
    await fleet.plane.given.execute("DELETE FROM meetings WHERE id = :id", id=newest)


@pytest.mark.parametrize("restarted", [False, True], ids=["while it runs", "before a start"])
async def test_a_restore_of_an_earlier_moment_costs_nobody_a_meeting(
    plane: Plane, server: Server, own_database_url: str, restarted: bool
) -> None:
    fleet = await Fleet.of(plane, own_database_url, bots=BOTS // 2)
    async with fleet.restored_to_now(server):
        await fleet.grow(BOTS // 2)
        await plane.tick(after=60)
    if restarted:
        await plane.restart()
    await fleet.settle()
    await fleet.require_nobody_hurt(adopted=BOTS // 2)
    assert await fleet.next_meeting_id() > max(fleet.used_ids())


@pytest.mark.parametrize("restarted", [False, True], ids=["while it runs", "before a start"])
async def test_the_loss_of_the_last_commits_costs_nobody_a_meeting(
    plane: Plane, own_database_url: str, restarted: bool
) -> None:
    fleet = await Fleet.of(plane, own_database_url, bots=BOTS)
    await lose_newest(fleet, 7)
    await plane.given.execute("SELECT setval(usher.meeting_id_sequence(), (SELECT max(id) FROM meetings))")
    if restarted:
        await plane.restart()
    await fleet.settle()
    await fleet.require_nobody_hurt(adopted=7)
    assert await fleet.next_meeting_id() > max(fleet.used_ids())


@pytest.mark.parametrize("restarted", [False, True], ids=["while it runs", "before a start"])
async def test_a_schema_that_was_dropped_and_made_anew_costs_nobody_a_meeting(
    plane: Plane, own_database_url: str, restarted: bool
) -> None:
    fleet = await Fleet.of(plane, own_database_url, bots=BOTS)
    await plane.given.execute("DROP SCHEMA usher CASCADE")
    await upgrade.upgrade(plane.database)
    if restarted:
        await plane.restart()
    await fleet.settle()
    await fleet.require_nobody_hurt(adopted=BOTS)
    assert await fleet.scalar("SELECT id::text FROM usher.installation") == INSTALLATION


async def test_sequences_that_are_behind_give_out_no_id_twice(plane: Plane, own_database_url: str) -> None:
    fleet = await Fleet.of(plane, own_database_url, bots=BOTS)
    await plane.given.execute("SELECT setval(usher.meeting_id_sequence(), 1, false)")
    await fleet.settle()
    await fleet.require_nobody_hurt(adopted=0)
    assert await fleet.next_meeting_id() > max(fleet.used_ids()) + 900


async def test_an_id_is_not_given_out_again_although_only_the_record_knows_it(
    plane: Plane, server: Server, own_database_url: str
) -> None:
    fleet = await Fleet.of(plane, own_database_url)
    async with fleet.restored_to_now(server):
        await fleet.grow(3)
        await plane.tick(after=60)
        lost = max(fleet.used_ids())
        plane.kube.jobs.clear()
        plane.kube.requests.clear()
    await plane.restart()
    await plane.tick()
    assert await fleet.next_meeting_id() > lost


async def test_an_id_is_not_given_out_again_although_only_an_ended_botrequest_shows_it(
    plane: Plane, own_database_url: str
) -> None:
    fleet = await Fleet.of(plane, own_database_url, bots=1)
    plane.kube.status("bot-of-0").update(phase="completed", meetingId=900_000)
    await lose_newest(fleet, 1)
    plane.kube.jobs.clear()
    await plane.tick(after=10)
    assert await fleet.next_meeting_id() > 900_000


async def test_nobody_gets_the_id_of_a_lost_user_whose_bot_runs(
    plane: Plane, given: Scenario, server: Server, own_database_url: str
) -> None:
    fleet = await Fleet.of(plane, own_database_url)
    async with fleet.restored_to_now(server):
        lost = await given.a_user()
        request = plane.a_request_of(lost, "of-a-lost-user")
        await plane.ensure(request)
    await plane.tick(after=10)
    assert (await given.a_user()).id > lost.id
    assert await plane.bot_of(request) is None
    assert len(plane.kube.jobs) == 1


async def test_a_restored_row_is_not_judged_before_its_bot_could_speak(plane: Plane, own_database_url: str) -> None:
    fleet = await Fleet.of(plane, own_database_url, bots=3)
    await lose_newest(fleet, 1)
    await plane.given.execute("UPDATE meetings SET status = 'reserved'")
    await plane.given.execute("UPDATE usher.bots SET job_created_at = now() - interval '1 hour', joined_at = NULL")
    await plane.tick(after=10)
    for request in fleet.requests:
        await fleet.speak(request)
    await fleet.settle()
    await fleet.require_nobody_hurt(adopted=1)


async def test_nothing_is_deleted_by_its_age_before_bots_are_adopted(
    plane: Plane, given: Scenario, own_database_url: str
) -> None:
    fleet = await Fleet.of(plane, own_database_url, bots=2)
    await given.a_bot(fleet.user, request_ttl_s=0).active().completed()
    await lose_newest_of_kubernetes(fleet)
    await plane.tick(after=10)
    deleter = ObjectDeleter(database=plane.database, kube=plane.kube, fence=HeldFence(UNFENCED, plane.hold))
    with pytest.raises(DatabaseWentBack, match="being put back"):
        await deleter.delete_due()
    await fleet.settle()
    assert await deleter.delete_due() == 1


async def test_a_bot_whose_end_was_lost_does_not_join_again_and_ends_as_its_botrequest_says(
    plane: Plane, server: Server, own_database_url: str
) -> None:
    fleet = await Fleet.of(plane, own_database_url)
    request = plane.a_request_of(fleet.user, "over")
    plane.kube.fail("create_job", KubernetesUnavailable())
    with pytest.raises(KubernetesUnavailable, match="cannot be reached"):
        await plane.ensure(request)
    async with fleet.restored_to_now(server):
        await plane.ensure(request)
        bot = await fleet.bot_of(request)
        plane.kube.jobs.clear()
        plane.kube.status("over").update(phase="completed", reason="Left", observedGeneration=1)
    await plane.restart()
    await plane.ensure(request)
    await plane.tick(after=10)
    assert plane.kube.jobs == {}
    back = await fleet.bot_of(request)
    assert (back.meeting_id, back.status, back.reason) == (bot.meeting_id, Status.COMPLETED, Reason.LEFT)
    assert (await plane.given.story(back))[-1].source == Source.ADOPTION


async def test_what_was_seen_a_moment_before_the_database_went_away_counts_when_it_is_back(
    plane: Plane, server: Server, own_database_url: str
) -> None:
    """A failover takes the last commits and the leader's session in one; the record outside is a minute old."""
    fleet = await Fleet.of(plane, own_database_url, bots=2)
    async with fleet.restored_to_now(server):
        await plane.given.a_bot(fleet.user)
        await plane.tick(after=1)
    await plane.tick(after=1)
    assert plane.hold.active
    assert "transition_lost" in await fleet.scalar("SELECT evidence::text FROM usher.rewinds")


async def test_a_request_that_comes_before_the_first_sweep_gets_no_id_of_a_lost_bot(
    plane: Plane, own_database_url: str
) -> None:
    fleet = await Fleet.of(plane, own_database_url, bots=3)
    lost = fleet.used_ids()
    await lose_newest(fleet, 3)
    await plane.given.execute("SELECT setval(usher.meeting_id_sequence(), 1, false)")
    early = plane.a_request_of(fleet.user, "early")
    for _ in range(3):
        with pytest.raises(DatabaseWentBack, match="Try again"):
            await plane.ensure(early)
    assert plane.hold.adopting
    await fleet.settle()
    assert await fleet.adoptions() == 3
    bot = await plane.bot_of(early)
    assert bot is not None
    assert bot.meeting_id > max(lost)
    assert set(plane.kube.jobs) == {*fleet.jobs, ("bots", bot.job_name)}


async def test_what_another_leader_recorded_since_outweighs_what_was_seen_before(
    plane: Plane, server: Server, own_database_url: str
) -> None:
    fleet = await Fleet.of(plane, own_database_url, bots=2)
    before = dict(plane.kube.config_maps[EPOCH]["data"])
    await plane.given.a_bot(fleet.user)
    await plane.tick(after=60)
    plane.kube.config_maps[EPOCH]["data"].update(before, seenAt="2100-01-01T00:00:00+00:00")
    plane.reconciler._epoch.mistrust()
    await lose_newest(fleet, 1)
    await plane.tick(after=1)
    assert not plane.hold.active


async def test_another_database_is_not_touched_and_changes_nothing(plane: Plane, own_database_url: str) -> None:
    fleet = await Fleet.of(plane, own_database_url, bots=BOTS)
    before = dict(plane.kube.jobs)
    await plane.given.execute("UPDATE usher.installation SET id = gen_random_uuid()")
    await plane.given.execute("DELETE FROM usher.bots")
    writes = len(plane.kube.writes)
    for _ in range(10):
        await plane.tick(after=30)
    assert plane.kube.jobs == before
    assert len(plane.kube.writes) == writes
    assert await fleet.scalar("SELECT count(*) FROM usher.bots") == 0
    assert plane.hold.foreign


async def test_its_own_database_is_served_again_when_it_is_back(plane: Plane, own_database_url: str) -> None:
    fleet = await Fleet.of(plane, own_database_url, bots=3)
    await plane.given.execute("UPDATE usher.installation SET id = gen_random_uuid()")
    await plane.tick(after=10)
    await plane.given.execute("UPDATE usher.installation SET id = CAST(:id AS uuid)", id=INSTALLATION)
    await fleet.settle()
    await fleet.require_nobody_hurt(adopted=0)
    assert not plane.hold.foreign


async def test_the_rest_api_reserves_nothing_before_bots_are_adopted(
    plane: Plane, given: Scenario, own_database_url: str
) -> None:
    fleet = await Fleet.of(plane, own_database_url, bots=2)
    await lose_newest(fleet, 1)
    await plane.tick(after=10)
    with pytest.raises(DatabaseWentBack, match="Try again"):
        await given.a_bot(fleet.user)
    await plane.tick(after=10)
    assert (await given.a_bot(fleet.user)).live


async def test_a_hold_outlives_a_restart(plane: Plane, own_database_url: str) -> None:
    fleet = await Fleet.of(plane, own_database_url, bots=2)
    await lose_newest(fleet, 1)
    await plane.tick(after=10)
    await plane.restart()
    plane.kube.forbidden.add("bots")
    await plane.tick()
    assert plane.hold.adopting
    assert await fleet.scalar("SELECT count(*) FROM usher.rewinds WHERE adopted_at IS NULL") == 1


async def test_the_record_counts_how_often_the_database_went_back(plane: Plane, own_database_url: str) -> None:
    fleet = await Fleet.of(plane, own_database_url, bots=2)
    assert plane.kube.config_maps[EPOCH]["data"]["epoch"] == "0"
    await lose_newest(fleet, 1)
    await fleet.settle()
    assert plane.kube.config_maps[EPOCH]["data"]["epoch"] == "1"
