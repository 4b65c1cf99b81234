"""Heartbeats recorded in one batch: each is answered for its own bot, and none before it is committed."""

import asyncio
from dataclasses import replace

import pytest

from tests.scenario import Scenario, speaker_of
from usher_models.db import heartbeats
from usher_models.db.bots import Bot
from usher_models.db.heartbeats import Heartbeat
from usher_models.errors import DatabaseUnavailable
from usher_models.states import Status
from usher_operator.callbacks.heartbeat_batch import HeartbeatBatch


def a_heartbeat(bot: Bot, *, seq: int | None = None, **speaker: str) -> Heartbeat:
    return Heartbeat(connection_id=bot.connection_id, speaker=replace(speaker_of(bot), **speaker), seq=seq)


async def age_s(given: Scenario, bot: Bot) -> float:
    query = "SELECT extract(epoch FROM clock_timestamp() - at) FROM usher.heartbeats WHERE meeting_id = :id"
    return float(await given.scalar(query, id=bot.meeting_id))


async def test_many_beats_at_once_are_all_noted(given: Scenario) -> None:
    bots = await given.copies_of(await given.a_bot().active().with_last_beat(ago=100), 40)
    batch = HeartbeatBatch(given.database)
    heard = await asyncio.gather(*(batch.record(a_heartbeat(bot)) for bot in bots))
    assert [one.meeting_id if one else None for one in heard] == [bot.meeting_id for bot in bots]
    assert max([await age_s(given, bot) for bot in bots]) < 5


async def test_the_same_bot_twice_is_noted_twice_in_order(given: Scenario) -> None:
    bot = await given.a_bot().active()
    batch = HeartbeatBatch(given.database)
    assert all(await asyncio.gather(*(batch.record(a_heartbeat(bot, seq=seq)) for seq in (4, 9, 7))))
    assert await given.scalar("SELECT seq FROM usher.heartbeats") == 9


async def test_a_bot_that_said_the_largest_number_breaks_nobodys_batch(given: Scenario) -> None:
    bots = await given.copies_of(await given.a_bot().active().with_last_beat(ago=100), 3)
    batch, largest = HeartbeatBatch(given.database), 2**63 - 1
    assert await batch.record(a_heartbeat(bots[0], seq=largest))
    assert all(await asyncio.gather(*(batch.record(a_heartbeat(bot)) for bot in bots)))
    assert await given.scalar("SELECT max(seq) FROM usher.heartbeats") == largest


async def test_what_needs_thought_is_left_out_and_changes_nothing(given: Scenario) -> None:
    fine, over = await given.a_bot().active(), await given.a_bot().active().completed()
    silent, unbound = await given.a_bot().active().with_last_beat(ago=100), await given.a_bot()
    before = await given.everything()
    async with given.database.transaction() as connection:
        heard = await heartbeats.record_many(
            connection,
            [a_heartbeat(fine), a_heartbeat(over), a_heartbeat(silent, pod_uid="another"), a_heartbeat(unbound)],
        )
    assert set(heard) == {fine.connection_id}
    assert await age_s(given, silent) >= 100
    after = await given.everything()
    assert before.pop("usher.heartbeats") != after.pop("usher.heartbeats")
    assert before == after


async def test_a_pod_of_another_job_is_left_out(given: Scenario) -> None:
    bot = await given.a_bot().active().with_last_beat(ago=100)
    assert await HeartbeatBatch(given.database).record(a_heartbeat(bot, job_name="bot-of-another")) is None
    assert await age_s(given, bot) >= 100


async def test_a_beat_waits_for_nobody_elses_row(given: Scenario) -> None:
    held, free = await given.a_bot().active(), await given.a_bot().active()
    batch = HeartbeatBatch(given.database)
    async with given.database.transaction() as connection:
        await heartbeats.record(connection, a_heartbeat(held))
        async with asyncio.timeout(2):
            first, second = await asyncio.gather(batch.record(a_heartbeat(held)), batch.record(a_heartbeat(free)))
    assert (first, second and second.status) == (None, Status.ACTIVE)


@pytest.mark.own_database
async def test_a_beat_is_not_answered_when_nothing_was_committed(given: Scenario) -> None:
    bots = await given.copies_of(await given.a_bot().active().with_last_beat(ago=100), 5)
    batch = HeartbeatBatch(given.database)
    await given.break_commits("usher.heartbeats")
    answers = await asyncio.gather(*(batch.record(a_heartbeat(bot)) for bot in bots), return_exceptions=True)
    assert [type(answer) for answer in answers] == [DatabaseUnavailable] * len(bots)
    assert min([await age_s(given, bot) for bot in bots]) >= 100
