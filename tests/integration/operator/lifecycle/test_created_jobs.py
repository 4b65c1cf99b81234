"""Jobs that are noted together: each row learns of its own, once, and nobody is told before it is committed."""

import asyncio

import pytest

from tests.scenario import Scenario
from usher_models.db.engine import Database
from usher_models.errors import DatabaseUnavailable
from usher_operator.lifecycle.created_jobs import CreatedJobs


async def test_many_at_once_are_all_noted_and_no_other(given: Scenario) -> None:
    bots = await given.copies_of(await given.a_bot(), 40)
    other = await given.a_bot()
    created_jobs = CreatedJobs(given.database)
    await asyncio.gather(*(created_jobs.record(bot.meeting_id) for bot in bots))
    assert all([(await given.fresh(bot)).job_created_at for bot in bots])
    assert (await given.fresh(other)).job_created_at is None


async def test_the_first_time_counts(given: Scenario) -> None:
    bot = await given.a_bot()
    created_jobs = CreatedJobs(given.database)
    await created_jobs.record(bot.meeting_id)
    first = await given.fresh(bot)
    await asyncio.gather(*(created_jobs.record(bot.meeting_id) for _ in range(3)))
    assert await given.fresh(bot) == first


async def test_a_database_that_is_away_is_told_to_everybody(no_database: Database) -> None:
    created_jobs = CreatedJobs(no_database)
    outcomes = await asyncio.gather(*(created_jobs.record(number) for number in (1, 2)), return_exceptions=True)
    assert [type(one) for one in outcomes] == [DatabaseUnavailable, DatabaseUnavailable]


async def test_what_could_not_be_noted_is_no_success(given: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_connection: object, _ids: list[int]) -> None:
        raise KeyError("a mistake")

    monkeypatch.setattr("usher_models.db.bots.mark_jobs_created", broken)
    with pytest.raises(DatabaseUnavailable, match="The Job of meeting 7 could not be recorded"):
        await CreatedJobs(given.database).record(7)
