"""A row whose status Usher does not know is left out of every list, and stops no other."""

import pytest

from tests.scenario import Scenario
from usher_models.db import bots, desired_state, stale_rules, status_writes
from usher_models.db.bots import Bot, UnreadableBot
from usher_models.errors import RowUnreadable
from usher_models.states import Reason

STATUSES = ["needs_help", "Active", ""]


async def an_odd_one(given: Scenario, status: str) -> Bot:
    """A bot that every list would hold, with a status of somebody else's."""
    bot = await given.a_bot(max_duration_s=60).with_job().active().waited(10_000).asked_to_leave().waited(100).beating()
    await given.execute("UPDATE meetings SET status = :status WHERE id = :id", status=status, id=bot.meeting_id)
    return bot


@pytest.mark.parametrize("status", STATUSES)
async def test_every_list_leaves_the_row_out_and_keeps_the_others(given: Scenario, status: str) -> None:
    odd = await an_odd_one(given, status)
    plain = await given.a_bot(max_duration_s=60).with_job().active().waited(1000)
    ids = [plain.meeting_id]
    async with given.database.reading() as connection:
        assert [bot.meeting_id for bot in await bots.live_bots(connection)] == ids
        assert [bot.meeting_id for bot in await bots.live_summaries(connection)] == ids
        assert list(await bots.bots_by_id(connection, [odd.meeting_id, plain.meeting_id])) == ids
        assert [bot.meeting_id for bot in await status_writes.unwritten_bots(connection, delay_s=5, limit=9)] == ids
        assert [bot.meeting_id for bot in await desired_state.overdue_bots(connection)] == ids
        assert await desired_state.bots_ignoring_leave(connection, grace_s=10) == []
        rule = stale_rules.rule_of(Reason.HEARTBEAT_LOST)
        stale = await stale_rules.stale_bots(connection, rule, limit_s=120, max_credit_s=0)
        assert [bot.meeting_id for bot in stale] == ids
        reports = await stale_rules.count_reports(connection, after_s=90, max_credit_s=0)
        assert (reports.late, reports.reporting) == (1, 1)


@pytest.mark.parametrize("status", STATUSES)
async def test_the_rows_left_out_are_named(given: Scenario, status: str) -> None:
    odd = await an_odd_one(given, status)
    await given.a_bot().active()
    async with given.database.reading() as connection:
        assert await bots.unreadable_bots(connection) == [UnreadableBot(meeting_id=odd.meeting_id, status=status)]


async def test_asked_for_by_itself_the_row_says_what_is_wrong_with_it(given: Scenario) -> None:
    odd = await an_odd_one(given, "needs_help")
    async with given.database.reading() as connection:
        with pytest.raises(RowUnreadable, match=f"Meeting {odd.meeting_id} has the status 'needs_help'"):
            await bots.bot_by_id(connection, odd.meeting_id)
