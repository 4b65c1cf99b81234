"""A sign of life is accepted or the meeting is over: never both, whoever comes first."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
from sqlalchemy import text

from tests.databases import open_database
from tests.scenario import STRANGER, Scenario, heartbeat_of, speaker_of
from usher_models.db import heartbeats, stale_rules, transitions
from usher_models.db.bots import Bot, bots_by_id
from usher_models.db.engine import Database
from usher_models.db.heartbeats import Heartbeat
from usher_models.db.transitions import Closing
from usher_models.errors import AnotherPodSpeaks, CallbackRejected, Forbidden, MeetingOver, UnknownConnection
from usher_models.states import LIVE, TERMINAL, Reason, Source, Stage, Status

CLIENTS = 24
RACES = 2_400
LIMIT_S = 120


async def beaten(given: Scenario, bot: Bot, *, pod_uid: str | None = None, seq: int | None = None) -> Bot:
    async with given.database.transaction() as connection:
        return await heartbeats.record(connection, heartbeat_of(bot, pod_uid=pod_uid, seq=seq))


async def refused(given: Scenario, bot: Bot, *, pod_uid: str | None = None) -> CallbackRejected:
    """The refusal of a beat, which changed nothing."""
    before = await given.everything()
    with pytest.raises(CallbackRejected) as refusal:
        await beaten(given, bot, pod_uid=pod_uid)
    assert await given.everything() == before
    return refusal.value


async def age_s(given: Scenario, bot: Bot) -> float:
    query = "SELECT extract(epoch FROM clock_timestamp() - at) FROM usher.heartbeats WHERE meeting_id = :id"
    return float(await given.scalar(query, id=bot.meeting_id))


@pytest.mark.parametrize("status", sorted(LIVE - {Status.RESERVED}))
async def test_a_beat_is_noted_and_answered_with_the_row(given: Scenario, status: Status) -> None:
    bot = await given.a_bot().moved(status).with_last_beat(ago=100)
    assert await beaten(given, bot) == bot
    assert await age_s(given, bot) < 2


async def test_a_beat_writes_nothing_but_its_own_row(given: Scenario) -> None:
    bot = await given.a_bot().active().with_last_beat(ago=100)
    before = await given.everything()
    await beaten(given, bot)
    after = await given.everything()
    assert before.pop("usher.heartbeats") != after.pop("usher.heartbeats")
    assert before == after


async def test_a_beat_does_not_touch_another_bot(given: Scenario) -> None:
    bot, other = await given.a_bot().active(), await given.a_bot().active().with_last_beat(ago=100)
    await beaten(given, bot)
    assert await age_s(given, other) >= 100


async def test_the_first_beat_binds_the_pod_when_started_was_lost(given: Scenario) -> None:
    bot = await given.a_bot()
    assert (await beaten(given, bot, pod_uid="pod-1")).pod_uid == "pod-1"
    assert isinstance(await refused(given, bot, pod_uid="pod-2"), AnotherPodSpeaks)


async def test_another_pods_beat_is_refused(given: Scenario) -> None:
    bot = await given.a_bot(pod_uid="pod-1").active().with_last_beat(ago=100)
    assert isinstance(await refused(given, bot, pod_uid="pod-2"), AnotherPodSpeaks)


@pytest.mark.parametrize("status", sorted(TERMINAL))
async def test_a_beat_after_the_end_is_told_that_it_is_over(given: Scenario, status: Status) -> None:
    bot = await given.a_bot().active().moved(status)
    refusal = await refused(given, bot)
    assert isinstance(refusal, MeetingOver)
    assert (refusal.meeting_id, refusal.status) == (bot.meeting_id, status)


async def test_a_beat_of_nobody_is_refused(given: Scenario) -> None:
    before = await given.everything()
    async with given.database.transaction() as connection:
        with pytest.raises(UnknownConnection, match="nobody"):
            await heartbeats.record(connection, Heartbeat(connection_id="nobody", speaker=STRANGER))
    assert await given.everything() == before


async def test_beats_count_up_and_never_back(given: Scenario) -> None:
    bot = await given.a_bot().active()
    seen = []
    for seq in (5, 3, None, 9, 9, 2**63 - 1, None):
        await beaten(given, bot, seq=seq)
        seen.append(await given.scalar("SELECT seq FROM usher.heartbeats"))
    assert seen == [5, 5, 6, 9, 9, 2**63 - 1, 2**63 - 1]


async def test_a_beat_never_makes_a_bot_older(given: Scenario) -> None:
    bot = await given.a_bot().active().with_last_beat(ago=100)
    async with given.database.transaction() as early:
        await early.execute(text("SELECT now(), pg_sleep(0.05)"))
        await beaten(given, bot)
        newest = await given.scalar("SELECT at FROM usher.heartbeats")
        await heartbeats.record(early, heartbeat_of(bot))
    assert await given.scalar("SELECT at FROM usher.heartbeats") == newest


async def test_a_heartbeat_of_the_future_is_set_back_by_the_next_one(given: Scenario) -> None:
    bot = await given.a_bot().active().with_last_beat(ago=-30)
    await beaten(given, bot)
    assert abs(await age_s(given, bot)) < 5


async def test_the_details_of_a_beat_are_noted(given: Scenario) -> None:
    bot = await given.a_bot().active()
    async with given.database.transaction() as connection:
        await heartbeats.record_details(
            connection, bot.connection_id, speaker=speaker_of(bot), stage=Stage.LOBBY, participants=7
        )
    now = await given.fresh(bot)
    assert (now.stage, now.participants, now.status) == (Stage.LOBBY, 7, Status.ACTIVE)
    assert now.status_changed_at == bot.status_changed_at


@pytest.mark.parametrize(("pod_uid", "over"), [("another", False), (None, True)], ids=["another pod", "after the end"])
async def test_details_of_whom_nobody_listens_to_change_nothing(
    given: Scenario, pod_uid: str | None, over: bool
) -> None:
    making = given.a_bot().active()
    bot = await (making.completed() if over else making)
    before = await given.everything()
    async with given.database.transaction() as connection:
        await heartbeats.record_details(
            connection, bot.connection_id, speaker=speaker_of(bot, pod_uid=pod_uid), stage=Stage.LOBBY, participants=7
        )
    assert await given.everything() == before


async def test_a_heartbeat_is_a_heap_only_update(given: Scenario) -> None:
    bots = await given.copies_of(await given.a_bot().active(), 20)
    for _ in range(5):
        for bot in bots:
            await beaten(given, bot)
    await given.execute("SELECT pg_stat_force_next_flush()")
    hot = await given.scalar(
        "SELECT n_tup_hot_upd::float / n_tup_upd FROM pg_stat_user_tables WHERE relid = 'usher.heartbeats'::regclass"
    )
    assert hot > 0.5


@pytest.fixture
async def crowd(database_url: str) -> AsyncIterator[Database]:
    database = open_database(database_url, pool_size=CLIENTS, lock_timeout_ms=60_000)
    yield database
    await database.close()


async def swept(database: Database, bots: list[Bot]) -> set[int]:
    """The ids of those that one sweep by the heartbeat rule ended."""
    condition, values = stale_rules.guard(stale_rules.rule_of(Reason.HEARTBEAT_LOST), limit_s=LIMIT_S, max_credit_s=0)
    async with database.transaction() as connection:
        moved = await transitions.close_many(
            connection,
            [Closing(meeting_id=bot.meeting_id, reason="heartbeat_lost") for bot in bots],
            target=Status.FAILED,
            source=Source.RECONCILER,
            guard=condition,
            guard_values=values,
        )
    return {one.meeting_id for one in moved}


@pytest.mark.own_database
@pytest.mark.timeout(120)
async def test_no_bot_has_its_beat_accepted_and_is_failed(
    given: Scenario, crowd: Database, record_property: Callable[[str, object], None]
) -> None:
    """Bots at the very cutoff: two seconds to either side, so that the race itself moves some of them across."""
    bots = await given.copies_of(await given.a_bot().active(), RACES)
    await given.execute(
        "UPDATE usher.heartbeats SET at = now() - make_interval(secs => :limit - 2 + 4 * random())", limit=LIMIT_S
    )
    generator = random.Random(11)
    accepted: set[int] = set()
    rejected: set[int] = set()
    failed: set[int] = set()

    async def beat(bot: Bot) -> None:
        try:
            async with crowd.transaction() as connection:
                await heartbeats.record(connection, heartbeat_of(bot))
            accepted.add(bot.meeting_id)
        except MeetingOver:
            rejected.add(bot.meeting_id)

    async def beats(some: list[Bot]) -> None:
        for bot in some:
            await beat(bot)

    async def sweeps(some: list[Bot]) -> None:
        for at in range(0, len(some), 8):
            failed.update(await swept(crowd, some[at : at + 8]))

    shares = [bots[at :: CLIENTS // 2] for at in range(CLIENTS // 2)]
    async with asyncio.TaskGroup() as group:
        for share in shares:
            group.create_task(beats(share))
            group.create_task(sweeps(generator.sample(share, len(share))))

    async with crowd.transaction() as connection:
        now = await bots_by_id(connection, [bot.meeting_id for bot in bots])
    assert accepted | rejected == set(now)
    assert not accepted & failed, "a bot's beat was accepted and it was failed"
    assert failed == rejected == {meeting_id for meeting_id, bot in now.items() if bot.status is Status.FAILED}
    assert accepted == {meeting_id for meeting_id, bot in now.items() if bot.status is Status.ACTIVE}
    assert await given.scalar("SELECT count(*) FROM usher.heartbeats") == len(accepted) + 1
    # Both sides won often, or it was no race.
    assert min(len(accepted), len(failed)) > RACES // 20
    record_property("races", RACES)
    record_property("beats accepted, bots alive", len(accepted))
    record_property("beats rejected, bots failed", len(failed))


async def test_a_beat_that_waits_for_a_sweep_hears_that_it_is_over(given: Scenario) -> None:
    bot = await given.a_bot().active().with_last_beat(ago=LIMIT_S + 10)
    async with given.database.transaction() as sweep:
        closing = Closing(meeting_id=bot.meeting_id, reason="heartbeat_lost")
        assert await transitions.close_many(sweep, [closing], target=Status.FAILED, source=Source.RECONCILER)
        beat = asyncio.create_task(beaten(given, bot))
        await until_somebody_waits(given)
    with pytest.raises(MeetingOver, match="is over"):
        await beat


async def test_a_sweep_does_not_wait_for_a_beat_and_spares_its_bot(given: Scenario) -> None:
    bot = await given.a_bot().active().with_last_beat(ago=LIMIT_S + 10)
    async with given.database.transaction() as connection:
        await heartbeats.record(connection, heartbeat_of(bot))
        async with asyncio.timeout(2):
            assert await swept(given.database, [bot]) == set()
    assert await swept(given.database, [bot]) == set()
    assert (await given.fresh(bot)).status is Status.ACTIVE


async def until_somebody_waits(given: Scenario) -> None:
    """Return when a statement in this database waits for a lock."""
    query = (
        "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " WHERE NOT l.granted AND a.datname = current_database()"
    )
    while not await given.scalar(query):
        pass


async def test_details_without_a_stage_leave_the_stage(given: Scenario) -> None:
    bot = await given.a_bot().active().in_stage(Stage.LOBBY)
    async with given.database.transaction() as connection:
        after = await heartbeats.record_details(
            connection, bot.connection_id, speaker=speaker_of(bot), stage=None, participants=3
        )
    assert (after.stage, after.participants) == (Stage.LOBBY, 3)


@pytest.mark.parametrize("wrong", [{"namespace": "elsewhere"}, {"job_name": "bot-of-another"}])
async def test_a_pod_of_another_job_is_refused_and_changes_nothing(given: Scenario, wrong: dict[str, str]) -> None:
    bot = await given.a_bot()
    speaker = replace(speaker_of(bot), **wrong)
    before = await given.everything()
    async with given.database.transaction() as connection:
        with pytest.raises(Forbidden, match="which is not this meeting's"):
            await heartbeats.record(connection, Heartbeat(connection_id=bot.connection_id, speaker=speaker))
        await heartbeats.record_details(connection, bot.connection_id, speaker=speaker, stage=Stage.LOBBY)
    assert await given.everything() == before
