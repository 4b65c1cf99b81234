"""What a sweep holds of a live bot does not grow with what its user wrote."""

import sys
from dataclasses import fields

from tests.scenario import Scenario
from usher_models.db import bots
from usher_models.db.bots import Bot, BotSummary


async def test_a_summary_holds_nothing_that_users_fill(given: Scenario) -> None:
    long = ["x" * 60_000]
    bot = await given.a_bot(spec={"command": long}, config={"bot_name": "y" * 60_000}).active()
    async with given.database.reading() as connection:
        (summary,) = await bots.live_summaries(connection)
        (whole,) = await bots.live_bots(connection)
    assert type(summary) is BotSummary
    assert type(whole) is Bot
    assert summary.meeting_id == whole.meeting_id == bot.meeting_id
    assert sum(sys.getsizeof(getattr(summary, field.name)) for field in fields(summary)) < 5_000
    assert {name: getattr(whole, name) for name in (field.name for field in fields(summary))} == {
        field.name: getattr(summary, field.name) for field in fields(summary)
    }
