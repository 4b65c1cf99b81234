"""A database that loses commits costs nobody a meeting: a bot that runs is adopted, and never replaced or deleted."""

import pytest

from tests.fakes.objects import FAILED_BY_POLICY, a_botrequest, terminated
from tests.integration.operator.plane import Json, Plane
from tests.scenario import Scenario, User
from usher_models.db import bots
from usher_models.db.bots import Bot
from usher_models.errors import RowMissing
from usher_models.states import Reason, Source, Status


async def lose(given: Scenario, bot: Bot) -> None:
    """Take back everything that was committed of a bot, as a failover to a replica that lagged does."""
    for table in ("bots", "heartbeats", "transitions", "webhook_deliveries"):
        await given.execute(f"DELETE FROM usher.{table} WHERE meeting_id = :id", id=bot.meeting_id)
    await given.execute("DELETE FROM meeting_sessions WHERE meeting_id = :id", id=bot.meeting_id)
    await given.execute("DELETE FROM meetings WHERE id = :id", id=bot.meeting_id)


async def a_running_bot(plane: Plane, user: User, name: str = "standup") -> tuple[Json, Bot]:
    """A bot in its meeting, made by a BotRequest, which shows it."""
    request = plane.a_request_of(user, name)
    await plane.ensure(request)
    bot = await plane.bot_of(request)
    assert bot is not None
    await plane.given.execute("UPDATE meetings SET status = 'active' WHERE id = :id", id=bot.meeting_id)
    plane.kube.status(name)["phase"] = "active"
    return request, bot


async def the_row(plane: Plane, request: Json) -> Bot:
    bot = await plane.bot_of(request)
    assert bot is not None
    return bot


async def test_a_lost_row_comes_back_under_its_ids_and_the_bot_stays(plane: Plane, given: Scenario) -> None:
    request, bot = await a_running_bot(plane, await given.a_user())
    await lose(given, bot)
    await plane.tick()
    back = await the_row(plane, request)
    assert (back.meeting_id, back.connection_id, back.job_name) == (bot.meeting_id, bot.connection_id, bot.job_name)
    assert (back.native_id, back.spec, back.config) == (bot.native_id, bot.spec, bot.config)
    assert back.status is Status.RESERVED
    assert list(plane.kube.jobs) == [("bots", bot.job_name)]
    assert plane.kube.writes_of("Job") == ["create"]


async def test_the_trail_tells_of_the_adoption(plane: Plane, given: Scenario) -> None:
    request, bot = await a_running_bot(plane, await given.a_user())
    await lose(given, bot)
    await plane.tick()
    (first,) = await given.story(await the_row(plane, request))
    assert (first.source, first.reason, first.target) == (Source.ADOPTION, Reason.ADOPTED, Status.RESERVED)


async def test_an_adopted_bot_is_judged_by_what_it_says_next(plane: Plane, given: Scenario) -> None:
    request, bot = await a_running_bot(plane, await given.a_user())
    await lose(given, bot)
    await plane.tick()
    await plane.tick(after=plane.settings.orphan_grace_s)
    assert (await the_row(plane, request)).status is Status.RESERVED
    assert ("bots", bot.job_name) in plane.kube.jobs


async def test_an_adopted_bot_counts_although_its_user_has_reached_the_limit(plane: Plane, given: Scenario) -> None:
    user = await given.a_user(cap=1)
    request, bot = await a_running_bot(plane, user)
    await lose(given, bot)
    await given.a_bot(user)
    await plane.tick()
    assert (await the_row(plane, request)).live
    assert await given.slots_held(user) == 2


async def test_a_process_that_starts_after_the_loss_starts_no_second_bot(plane: Plane, given: Scenario) -> None:
    request, bot = await a_running_bot(plane, await given.a_user())
    await lose(given, bot)
    plane.clock.advance(1)
    plane.use(given.database)
    await plane.ensure(request)
    assert (await the_row(plane, request)).meeting_id == bot.meeting_id
    assert plane.kube.writes_of("Job") == ["create"]


async def test_no_second_bot_starts_where_the_row_cannot_come_back(plane: Plane, given: Scenario) -> None:
    request, bot = await a_running_bot(plane, await given.a_user())
    await lose(given, bot)
    await given.execute("DELETE FROM users WHERE id = :id", id=bot.user_id)
    plane.kube.apply(a_botrequest("standup", **plane.kube.requests["bots", "standup"]["spec"] | {"language": "de"}))
    with pytest.raises(RowMissing, match=f"runs as {bot.job_name} without a row"):
        await plane.ensure(request)
    await plane.tick()
    assert list(plane.kube.jobs) == [("bots", bot.job_name)]


async def test_a_lost_row_whose_job_has_failed_meanwhile_is_closed_by_what_the_job_says(
    plane: Plane, given: Scenario
) -> None:
    request, bot = await a_running_bot(plane, await given.a_user())
    plane.kube.finish(bot.job_name, condition=FAILED_BY_POLICY, state=terminated(9))
    await lose(given, bot)
    await plane.tick()
    await plane.tick()
    back = await the_row(plane, request)
    assert (back.meeting_id, back.status, back.reason) == (bot.meeting_id, Status.FAILED, "exit_code_9")
    assert plane.kube.writes_of("Job") == ["create"]


async def test_a_job_whose_request_is_gone_is_deleted_and_not_adopted(plane: Plane, given: Scenario) -> None:
    _, bot = await a_running_bot(plane, await given.a_user())
    await lose(given, bot)
    plane.kube.requests.clear()
    await plane.tick()
    await plane.tick(after=plane.settings.orphan_grace_s)
    assert plane.kube.jobs == {}
    assert await given.scalar("SELECT count(*) FROM usher.bots") == 0


@pytest.mark.parametrize("shown", ["job", "request"])
async def test_no_meeting_gets_an_id_that_kubernetes_shows(plane: Plane, given: Scenario, shown: str) -> None:
    _, bot = await a_running_bot(plane, await given.a_user())
    if shown == "request":
        plane.kube.status("standup")["meetingId"] = bot.meeting_id + 700
    await given.execute("SELECT setval(usher.meeting_id_sequence(), 1, false)")
    await plane.tick()
    assert (await given.a_bot()).meeting_id > bot.meeting_id + (700 if shown == "request" else 0)


async def test_ids_that_are_far_behind_are_raised_at_once(plane: Plane, given: Scenario) -> None:
    await a_running_bot(plane, await given.a_user())
    plane.kube.status("standup")["meetingId"] = 1_900_000_000
    await given.execute("SELECT setval(usher.meeting_id_sequence(), 1, false)")
    await plane.tick()
    assert (await given.a_bot()).meeting_id == 1_900_000_001
    await given.execute("SELECT setval(usher.meeting_id_sequence(), 1000)")


@pytest.mark.parametrize("label", ["2147483647", "9" * 40])
async def test_an_id_that_nobody_can_have_is_not_believed_and_stops_no_other(
    plane: Plane, given: Scenario, label: str
) -> None:
    _, odd = await a_running_bot(plane, await given.a_user(), "odd")
    request, bot = await a_running_bot(plane, await given.a_user())
    plane.kube.jobs["bots", odd.job_name]["metadata"]["labels"]["usher.dev/meeting-id"] = label
    await lose(given, odd)
    await lose(given, bot)
    await plane.tick()
    assert (await the_row(plane, request)).live
    await plane.tick()
    assert (await given.a_bot()).meeting_id < 2_000_000_001


async def test_an_adopted_bot_keeps_the_driver_of_the_installation(plane: Plane, given: Scenario) -> None:
    plane.settings = plane.settings.model_copy(update={"default_driver": "simulated"})
    plane.use(given.database)
    request, bot = await a_running_bot(plane, await given.a_user())
    await lose(given, bot)
    await plane.tick()
    assert bot.driver == (await the_row(plane, request)).driver == "simulated"


async def test_an_id_that_was_given_away_keeps_both_bots(plane: Plane, given: Scenario) -> None:
    user = await given.a_user()
    request, bot = await a_running_bot(plane, user)
    await lose(given, bot)
    await given.execute(
        "INSERT INTO meetings (id, user_id, platform, platform_specific_id, status)"
        " VALUES (:id, :user, 'x', 'y', 'active')",
        id=bot.meeting_id,
        user=user.id,
    )
    await plane.tick()
    await plane.tick(after=plane.settings.orphan_grace_s)
    assert await plane.bot_of(request) is None
    assert list(plane.kube.jobs) == [("bots", bot.job_name)]


async def test_a_bot_of_the_rest_api_comes_back_too(plane: Plane, given: Scenario) -> None:
    user = await given.a_user()
    bot = plane.in_kubernetes(await given.a_bot(user).with_job().active())
    plane.kube.requests["bots", str(bot.request_name)]["spec"]["userId"] = user.id
    plane.kube.status(str(bot.request_name))["phase"] = "active"
    await lose(given, bot)
    await plane.tick()
    async with given.database.reading() as connection:
        back = await bots.bot_by_connection(connection, bot.connection_id)
    assert back is not None
    assert (back.meeting_id, back.request_name, back.live) == (bot.meeting_id, bot.request_name, True)
