"""The database's clock steps back: no dead bot lives on because of it, and no outage is hidden by it."""

import pytest
from sqlalchemy import text

from tests.scenario import Scenario, heartbeat_of
from usher_models.db import clock, heartbeats, outages, stale_rules
from usher_models.db.bots import Bot
from usher_models.db.stale_rules import Rule, rule_of
from usher_models.states import Reason, Status

LIMIT_S = 120.0
CREDIT_S = 3600.0
STEP_S = 3600.0
HEARTBEAT_LOST = rule_of(Reason.HEARTBEAT_LOST)


async def stepped_back(given: Scenario, seconds: float = STEP_S) -> None:
    """The clock stepped back: everything that was written before lies that much later now."""
    await given.execute("UPDATE usher.replicas SET served_until = served_until + make_interval(secs => :s)", s=seconds)
    await given.execute("UPDATE usher.heartbeats SET at = at + make_interval(secs => :s)", s=seconds)
    columns = ("reserved_at", "job_created_at", "leave_requested_at", "started_at", "joined_at", "status_changed_at")
    later = ", ".join(f"{column} = {column} + make_interval(secs => :s)" for column in columns)
    await given.execute(f"UPDATE usher.bots SET {later}", s=seconds)


async def pass_time(given: Scenario, seconds: float) -> None:
    """Time passes, without a word of anybody."""
    await stepped_back(given, -seconds)


async def set_back(given: Scenario) -> int:
    async with given.database.transaction() as connection:
        return await clock.set_back_future_rows(connection)


async def is_stale(given: Scenario, bot: Bot, rule: Rule = HEARTBEAT_LOST) -> bool:
    async with given.database.transaction() as connection:
        found = await stale_rules.stale_bots(connection, rule, limit_s=LIMIT_S, max_credit_s=CREDIT_S)
    return bot.meeting_id in {each.meeting_id for each in found}


async def serve(given: Scenario, replica: str = "serve-1") -> float | None:
    async with given.database.transaction() as connection:
        return await outages.record_served(connection, replica)


async def test_without_a_step_nothing_is_set_back(given: Scenario) -> None:
    await given.a_bot().with_job().starting().active().asked_to_leave()
    await serve(given)
    before = await given.everything()
    assert await set_back(given) == 0
    assert await given.everything() == before


async def test_a_dead_bot_is_stale_a_limit_after_the_step(given: Scenario) -> None:
    bot = await given.a_bot().starting().active()
    await serve(given)
    await stepped_back(given)
    assert await set_back(given) == 3
    await serve(given)
    await pass_time(given, LIMIT_S - 5)
    await serve(given)
    assert not await is_stale(given, bot)
    await pass_time(given, 6)
    await serve(given)
    # Time was made to pass for the replica too, whose word counts as an outage then: no credit for what it said since.
    await given.execute("DELETE FROM usher.outages")
    assert await is_stale(given, bot)


async def test_a_bot_that_goes_on_reporting_is_not_stale_after_the_step(given: Scenario) -> None:
    bot = await given.a_bot().starting().active()
    await stepped_back(given)
    async with given.database.transaction() as connection:
        await heartbeats.record(connection, heartbeat_of(bot))
    at = await given.scalar("SELECT extract(epoch FROM clock_timestamp() - at) FROM usher.heartbeats")
    assert float(at) == pytest.approx(0, abs=5)
    assert not await is_stale(given, bot)


async def test_an_outage_after_the_step_gives_credit(given: Scenario) -> None:
    bot = await given.a_bot().starting().active()
    await serve(given)
    await stepped_back(given)
    await set_back(given)
    # No replica can take a callback for longer than the limit: healthy bots cannot report either.
    await pass_time(given, LIMIT_S + 60)
    assert not await is_stale(given, bot)
    assert await serve(given) == pytest.approx(LIMIT_S + 60, abs=2)
    assert not await is_stale(given, bot)


async def test_a_replica_of_the_future_that_is_gone_hides_no_outage(given: Scenario) -> None:
    bot = await given.a_bot().starting().active()
    await serve(given, "gone")
    await stepped_back(given)
    await set_back(given)
    await serve(given, "here")
    await pass_time(given, LIMIT_S + 60)
    assert await serve(given, "here") == pytest.approx(LIMIT_S + 60, abs=2)
    assert not await is_stale(given, bot)


async def test_a_step_alone_is_no_outage_though_an_old_replica_is_on_record(given: Scenario) -> None:
    await given.a_replica("long-gone", silent_for=86_400)
    await serve(given, "here")
    await given.execute("DELETE FROM usher.outages")
    later = "UPDATE usher.replicas SET served_until = served_until + interval '1 hour' WHERE replica = 'here'"
    await given.execute(later)
    assert await serve(given, "here") is None
    assert float(await given.scalar("SELECT extract(epoch FROM usher.credit(now() - interval '1 day'))")) == 0


async def test_an_outage_on_record_in_the_future_gives_no_credit_for_time_that_has_not_passed(given: Scenario) -> None:
    await given.an_outage(lasted=600, ended_ago=-1200)
    assert float(await given.scalar("SELECT extract(epoch FROM usher.credit(now() - interval '60 s'))")) == 0


@pytest.mark.parametrize(
    ("rule", "past"),
    [
        (rule_of(Reason.NEVER_STARTED), None),
        (rule_of(Reason.NEVER_JOINED), Status.STARTING),
        (rule_of(Reason.NEVER_EXITED), Status.STOPPING),
    ],
)
async def test_every_deadline_comes_a_limit_after_the_step(given: Scenario, rule: Rule, past: Status | None) -> None:
    making = given.a_bot(lobby_timeout_s=30)
    bot = await (making.moved(past) if past else making)
    await stepped_back(given, 86_400 * 3650)
    await set_back(given)
    await pass_time(given, LIMIT_S + 1)
    assert await is_stale(given, bot, rule)


async def test_history_is_not_rewritten(given: Scenario) -> None:
    bot = await given.a_bot().starting()
    await given.execute("UPDATE usher.transitions SET at = at + interval '1 hour'")
    before = await given.scalar("SELECT array_agg(at ORDER BY seq) FROM usher.transitions")
    await stepped_back(given)
    assert await set_back(given) > 0
    assert await given.scalar("SELECT array_agg(at ORDER BY seq) FROM usher.transitions") == before
    assert bot.live


async def test_a_row_that_is_locked_is_set_back_by_the_next_sweep(given: Scenario) -> None:
    bot = await given.a_bot().starting()
    await stepped_back(given)
    async with given.database.transaction() as connection:
        await connection.execute(text("SELECT FROM usher.bots FOR UPDATE"))
        assert await set_back(given) == 1
    assert await set_back(given) == 1
    assert bot.live
