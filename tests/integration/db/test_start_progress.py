"""What is noted of a bot before it starts: its stage, and once what keeps it from running; and nothing afterwards."""

from tests.scenario import Scenario
from usher_models.db.start_progress import StartProgress, note_progress


async def noted(given: Scenario, *progress: StartProgress) -> set[int]:
    async with given.database.transaction() as connection:
        return await note_progress(connection, progress)


async def test_a_stage_is_noted_and_is_not_worth_a_write_of_its_own(given: Scenario) -> None:
    bot = await given.a_bot().with_job().written()
    assert await noted(given, StartProgress(meeting_id=bot.meeting_id, stage="pulling")) == set()
    now = await given.fresh(bot)
    assert (now.stage, now.reason, now.revision) == ("pulling", "requested", bot.revision)


async def test_what_keeps_a_bot_from_running_is_shown_once(given: Scenario) -> None:
    bot = await given.a_bot().with_job().written()
    progress = StartProgress(meeting_id=bot.meeting_id, stage="scheduling", reason="unschedulable", message="No node.")
    assert await noted(given, progress) == {bot.meeting_id}
    now = await given.fresh(bot)
    assert (now.stage, now.reason, now.message) == ("scheduling", "unschedulable", "No node.")
    assert now.revision == bot.revision + 1
    assert await noted(given, progress) == set()
    assert (await given.fresh(bot)).revision == bot.revision + 1


async def test_a_bot_that_has_started_is_not_written(given: Scenario) -> None:
    bot = await given.a_bot().with_job().starting()
    before = await given.everything()
    progress = StartProgress(meeting_id=bot.meeting_id, stage="scheduling", reason="unschedulable", message="No node.")
    assert await noted(given, progress) == set()
    assert await given.everything() == before
