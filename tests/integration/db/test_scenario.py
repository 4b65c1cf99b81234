"""The scenario builder tells the truth: what it writes is what production would have left behind."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from tests.scenario import Scenario, pod_of
from usher_models.states import Desired, Source, Status


async def test_a_bot_is_reserved_until_told_otherwise(given: Scenario) -> None:
    user = await given.a_user(cap=2)
    bot = await given.a_bot(user)
    assert (bot.status, bot.user_id, bot.pod_uid) == (Status.RESERVED, user.id, None)
    assert await given.slots_held(user) == 1


async def test_every_word_is_one_transition(given: Scenario) -> None:
    bot = await given.a_bot().starting().active().stopping().completed()
    assert [line.target for line in await given.story(bot)] == [
        "reserved",
        "starting",
        "active",
        "stopping",
        "completed",
    ]


async def test_waiting_moves_the_whole_past(given: Scenario) -> None:
    bot = await given.a_bot().waited(100).starting().waited(20).active().waited(3)
    now = datetime.now(UTC)
    ages = [(now - line.at).total_seconds() for line in await given.story(bot)]
    assert [round(age) for age in ages] == [123, 23, 3]
    assert bot.started_at is not None
    assert abs((now - bot.started_at) - timedelta(seconds=23)) < timedelta(seconds=1)


async def test_the_last_beat_moves_alone(given: Scenario) -> None:
    bot = await given.a_bot().active().with_last_beat(ago=130)
    age = await given.scalar("SELECT extract(epoch FROM now() - at) FROM usher.heartbeats")
    assert 130 <= age < 132
    assert datetime.now(UTC) - bot.status_changed_at < timedelta(seconds=2)


async def test_a_bot_may_be_ended_by_anybody_who_may(given: Scenario) -> None:
    bot = await given.a_bot().starting().failed(by=Source.RECONCILER, reason="never_joined")
    assert (bot.status, bot.reason) == (Status.FAILED, "never_joined")


async def test_what_stands_beside_the_status_can_be_told_too(given: Scenario) -> None:
    bot = await given.a_bot().with_job().active().with_config(language="de").asked_to_leave().written()
    assert bot.job_created_at is not None
    assert (bot.config, bot.config_generation) == ({"language": "de"}, 1)
    assert bot.desired is Desired.LEAVE
    assert bot.written_revision == bot.revision


async def test_copies_have_the_same_past_and_their_own_names(given: Scenario) -> None:
    bot = await given.a_bot().active().with_last_beat(ago=50)
    copies = await given.copies_of(bot, 3)
    everyone = [bot, *copies]
    for name in ("meeting_id", "connection_id", "job_name", "native_id", "request_uid", "pod_uid"):
        assert len({getattr(each, name) for each in everyone}) == 4
    assert [each.pod_uid for each in copies] == [pod_of(each.connection_id) for each in copies]
    assert {each.status for each in copies} == {Status.ACTIVE}
    assert [len(await given.story(each)) for each in copies] == [2, 2, 2]
    async with given.database.transaction() as connection:
        ages = await connection.execute(text("SELECT DISTINCT at FROM usher.heartbeats"))
        assert len(ages.all()) == 1
    assert await given.scalar("SELECT count(*) FROM meeting_sessions") == 4
