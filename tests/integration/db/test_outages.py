"""What is known of Usher's own outages, and the credit it gives."""

import asyncio

import pytest
from sqlalchemy import text

from tests.scenario import Scenario
from usher_models.db import outages

# What usher.outage_tolerance() of the schema says.
TOLERANCE_S = 6.0


async def served(given: Scenario, replica: str = "serve-1") -> float | None:
    async with given.database.transaction() as connection:
        return await outages.record_served(connection, replica)


async def silent_since(given: Scenario, seconds: float) -> None:
    """Every replica has said nothing for that long."""
    async with given.database.transaction() as connection:
        await connection.execute(
            text("UPDATE usher.replicas SET served_until = now() - make_interval(secs => :seconds)"),
            {"seconds": seconds},
        )


async def credit(given: Scenario, since_ago: float) -> float:
    """The credit in seconds of a bot that was last heard `since_ago` seconds ago."""
    async with given.database.transaction() as connection:
        query = text("SELECT extract(epoch FROM usher.credit(now() - make_interval(secs => :ago)))")
        return float(await connection.scalar(query, {"ago": since_ago}) or 0)


async def test_a_replica_that_speaks_in_time_notes_no_outage(given: Scenario) -> None:
    assert await served(given) is None
    await silent_since(given, TOLERANCE_S - 4)
    assert await served(given) is None
    assert await credit(given, 1000) == 0


async def test_the_first_replica_that_is_back_notes_the_outage_and_says_how_long_it_was(given: Scenario) -> None:
    await served(given)
    await silent_since(given, 300)
    assert await served(given) == pytest.approx(300, abs=1)
    assert await served(given) is None
    assert await credit(given, 1000) == pytest.approx(300, abs=1)


async def test_one_replica_that_serves_is_enough(given: Scenario) -> None:
    await served(given, "serve-1")
    await silent_since(given, 300)
    await served(given, "serve-2")
    assert await served(given, "serve-1") is None
    assert await credit(given, 1000) == pytest.approx(300, abs=1)


async def test_replicas_that_come_back_at_once_note_one_outage(given: Scenario) -> None:
    await served(given)
    await silent_since(given, 300)
    noted = await asyncio.gather(*(served(given, f"serve-{number}") for number in range(8)))
    assert len([lasted for lasted in noted if lasted is not None]) <= 1
    assert await credit(given, 1000) == pytest.approx(300, abs=1)


async def test_an_outage_that_goes_on_gives_credit_already(given: Scenario) -> None:
    await served(given)
    await silent_since(given, 200)
    assert await credit(given, 1000) == pytest.approx(200, abs=1)


async def test_only_the_part_of_an_outage_after_the_last_sign_of_life_is_credited(given: Scenario) -> None:
    await given.an_outage(lasted=100, ended_ago=50)
    await given.an_outage(lasted=10, ended_ago=400)
    assert await credit(given, 40) == 0
    assert await credit(given, 90) == pytest.approx(40, abs=1)
    assert await credit(given, 1000) == pytest.approx(110, abs=1)


async def test_old_outages_and_replicas_are_forgotten_but_never_the_last_replica(given: Scenario) -> None:
    week = outages.KEEP_DAYS * 86_400
    await served(given, "serve-1")
    await given.an_outage(lasted=10, ended_ago=week + 60)
    await given.an_outage(lasted=10, ended_ago=week - 60)
    await silent_since(given, week + 60)
    async with given.database.transaction() as connection:
        await outages.delete_old(connection)
        assert await connection.scalar(text("SELECT count(*) FROM usher.outages")) == 1
        assert await connection.scalar(text("SELECT count(*) FROM usher.replicas")) == 1


async def test_an_old_replica_beside_one_that_serves_is_no_outage(given: Scenario) -> None:
    await given.a_replica("dead", silent_for=3600)
    await given.a_replica("serving", silent_for=1)
    assert await served(given, "another") is None
    assert await credit(given, 7200) == 0


async def test_old_replicas_are_deleted_beside_one_that_serves(given: Scenario) -> None:
    week = outages.KEEP_DAYS * 86_400
    await given.a_replica("old", silent_for=week + 60)
    await given.a_replica("young", silent_for=week - 60)
    await given.a_replica("serving")
    async with given.database.transaction() as connection:
        await outages.delete_old(connection)
        left = set(await connection.scalars(text("SELECT replica FROM usher.replicas")))
    assert left == {"young", "serving"}


@pytest.mark.parametrize(("silent_for", "outage"), [(TOLERANCE_S - 0.5, False), (TOLERANCE_S + 0.5, True)])
async def test_what_is_recorded_as_an_outage_was_credited_as_one_before(
    given: Scenario, silent_for: float, outage: bool
) -> None:
    await given.a_replica("serve-1", silent_for=silent_for)
    assert (await credit(given, 1000) > 0) is outage
    assert (await served(given, "serve-1") is not None) is outage
    assert (await credit(given, 1000) > 0) is outage


async def test_two_replicas_that_delete_the_old_at_once_do_not_wait_for_each_other(given: Scenario) -> None:
    for number in range(20):
        await given.a_replica(f"old-{number}", silent_for=outages.KEEP_DAYS * 86_400 + number + 1)
    await given.a_replica("serving")

    async def delete() -> None:
        async with given.database.transaction() as connection:
            await outages.delete_old(connection)

    async with asyncio.timeout(10):
        await asyncio.gather(*(delete() for _ in range(6)))
    assert await given.scalar("SELECT count(*) FROM usher.replicas") == 1


@pytest.mark.parametrize("table", ["usher.outages", "usher.replicas"])
async def test_what_somebody_holds_is_deleted_another_time_and_nobody_waits(given: Scenario, table: str) -> None:
    week = outages.KEEP_DAYS * 86_400
    await given.an_outage(lasted=10, ended_ago=week + 60)
    await given.a_replica("old", silent_for=week + 60)
    await given.a_replica("serving")

    async def delete() -> int:
        async with given.database.transaction() as connection:
            await outages.delete_old(connection)
        return int(await given.scalar(f"SELECT count(*) FROM {table}"))

    before = await given.scalar(f"SELECT count(*) FROM {table}")
    async with given.database.transaction() as connection, asyncio.timeout(5):
        await connection.execute(text(f"SELECT FROM {table} FOR UPDATE"))
        assert await delete() == before
    assert await delete() == before - 1
