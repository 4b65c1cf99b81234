"""A transaction in one exchange with the server: it is one, it says so when it is not, and its locks are short."""

import asyncio
import gc
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.scenario import Scenario, a_request, speaker_of
from usher_models.db import engine
from usher_models.db.engine import Database, driver_of, in_one_exchange
from usher_models.db.reservations import reserve
from usher_models.db.transitions import Report, report
from usher_models.errors import CapReached, DatabaseUnavailable, NotStorable
from usher_models.states import Status

ADD = text("INSERT INTO users (email) VALUES (:email) RETURNING id")
COUNT = text("SELECT count(*) FROM users WHERE email = :email")
FAIL = text("SELECT 1 / 0 AS never")


async def count(given: Scenario, email: str) -> int:
    async with given.database.reading() as connection:
        return int(await connection.scalar(COUNT, {"email": email}) or 0)


@pytest.mark.direct
async def test_what_was_said_is_committed_when_the_answer_is_there(given: Scenario) -> None:
    async with given.database.at_once() as connection:
        (added,), (seen,) = await in_one_exchange(connection, (ADD, COUNT), {"email": "one@example.com"})
        assert added["id"]
        assert seen["count"] == 1
        assert await count(given, "one@example.com") == 1


async def test_all_of_it_is_undone_when_some_of_it_fails(given: Scenario) -> None:
    with pytest.raises(NotStorable, match="A value cannot be stored"):
        async with given.database.at_once() as connection:
            await in_one_exchange(connection, (ADD, FAIL), {"email": "two@example.com"})
    assert await count(given, "two@example.com") == 0


async def test_after_a_failure_the_same_statements_work_again_and_again(given: Scenario) -> None:
    for number in range(12):
        with suppress(NotStorable):
            async with given.database.at_once() as connection:
                email, second = f"many-{number}@example.com", FAIL if number % 3 else COUNT
                await in_one_exchange(connection, (ADD, second), {"email": email})
    assert await given.scalar("SELECT count(*) FROM users WHERE email LIKE 'many-%'") == 4


async def test_a_lost_server_is_noticed_by_the_first_exchange_and_the_next_connects_anew(given: Scenario) -> None:
    values = {"email": "three@example.com"}

    async def lose_it() -> None:
        async with given.database.at_once() as connection:
            ((own,),) = await in_one_exchange(connection, (text("SELECT pg_backend_pid() AS pid"),), {})
            async with given.database.reading() as other:
                await other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), own)
            await in_one_exchange(connection, (ADD,), values)

    with pytest.raises(DatabaseUnavailable, match="terminating connection"):
        await lose_it()
    async with given.database.at_once() as connection:
        await in_one_exchange(connection, (ADD,), values)
    assert await count(given, "three@example.com") == 1


@pytest.mark.direct
async def test_a_reservation_at_once_lets_go_of_the_users_row_with_its_answer(given: Scenario) -> None:
    user = await given.a_user(cap=2)
    async with given.database.at_once() as first:
        await reserve(first, a_request(user))
        async with given.database.at_once() as second:
            await reserve(second, a_request(user))
            with pytest.raises(CapReached, match="Maximum concurrent bots limit reached"):
                await reserve(second, a_request(user))


@pytest.mark.own_database
async def test_nobody_is_told_of_what_was_not_committed_in_the_end(given: Scenario) -> None:
    bot, user = await given.a_bot(), await given.a_user()
    told = Report(connection_id=bot.connection_id, target=Status.STARTING, reason="told", speaker=speaker_of(bot))
    await given.break_commits("usher.bots")
    with pytest.raises(DatabaseUnavailable, match="broken on purpose"):
        async with given.database.at_once() as connection:
            await report(connection, told)
    with pytest.raises(DatabaseUnavailable, match=r"cannot exit pipeline mode|broken on purpose"):
        async with given.database.at_once() as connection:
            await reserve(connection, a_request(user))
    assert (await given.fresh(bot)).status is Status.RESERVED
    assert await given.scalar("SELECT count(*) FROM meetings") == 1


@pytest.mark.direct
async def test_a_cancelled_exchange_leaves_no_answer_to_the_next_statement(database_url: str) -> None:
    database = Database.connect(database_url, pool_size=1)
    slow = text("SELECT pg_sleep(0.002), 'slow' AS answer")
    for number in range(120):
        with suppress(TimeoutError):
            async with asyncio.timeout(number % 12 / 1000), database.at_once() as connection:
                await in_one_exchange(connection, (slow, slow), {})
        async with database.at_once() as connection:
            first, second = await in_one_exchange(
                connection,
                (text("SELECT CAST(:number AS integer) AS first"), text("SELECT 2 AS second")),
                {"number": number},
            )
        assert (first, second) == ([{"first": number}], [{"second": 2}])
    await database.close()


@pytest.mark.direct
async def test_a_connection_that_was_left_in_a_pipeline_is_not_used_again(database_url: str) -> None:
    database = Database.connect(database_url, pool_size=1)
    async with database.at_once() as connection:
        driver = driver_of(connection)
        driver.pgconn.enter_pipeline_mode()
    async with database.at_once() as connection:
        assert driver_of(connection) is not driver
        assert await connection.scalar(text("SELECT 1")) == 1
    await database.close()


async def test_a_closed_database_leaves_no_connection_behind_and_opens_none(own_database_url: str) -> None:
    """A task that a shutdown forgot may still use one, or come for one."""
    database = Database.connect(own_database_url, application_name="forgotten")
    async with database.reading() as connection:
        driver = driver_of(connection)
        await database.close()
        assert driver.closed
    with pytest.raises(DatabaseUnavailable, match=r"This process has closed its connections to the database .* at "):
        await database.ping()


async def test_a_connection_that_is_made_while_the_database_is_closed_is_closed_too(own_database_url: str) -> None:
    database = Database.connect(own_database_url)
    coming = asyncio.create_task(database.ping())
    await asyncio.sleep(0)
    await database.close()
    with pytest.raises(DatabaseUnavailable, match="has closed its connections"):
        await coming
    assert all(driver.closed for driver in database._opened)


@pytest.mark.direct
async def test_a_connection_that_is_given_back_a_moment_later_is_waited_for(database_url: str) -> None:
    """What was cancelled gives back in a task of SQLAlchemy's own, which the end of the event loop would cut off."""
    assert await is_waited_for(database_url, given_back_after_s=0.1)


async def test_a_connection_that_comes_back_only_after_it_was_closed_is_waited_for_too(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "RETURN_TIMEOUT_S", 0)
    assert await is_waited_for(database_url, given_back_after_s=0.2)


async def is_waited_for(database_url: str, *, given_back_after_s: float) -> bool:
    """Whether a database closes only when a connection that is held meanwhile has been given back."""
    database = Database.connect(database_url, pool_size=1)
    held, given_back = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with database.reading():
            held.set()
            await given_back.wait()

    holding = asyncio.create_task(hold())
    await held.wait()
    asyncio.get_running_loop().call_later(given_back_after_s, given_back.set)
    await database.close()
    waited = given_back.is_set()
    await holding
    return waited


@pytest.mark.parametrize("way", [Database.transaction, Database.reading, Database.at_once])
async def test_a_use_that_is_cut_off_at_its_begin_gives_its_connection_back(
    database_url: str, way: Callable[[Database], AbstractAsyncContextManager[AsyncConnection]]
) -> None:
    database = Database.connect(database_url, pool_size=1)

    async def use() -> None:
        async with way(database) as connection:
            await connection.execute(text("SELECT 1"))

    await use()
    for moment in range(6):
        using = asyncio.create_task(use())
        for _ in range(moment):
            await asyncio.sleep(0)
        using.cancel()
        await asyncio.wait([using])
        del using
        # What nobody holds any more is reported here, as an error.
        gc.collect()
    await use()
    await database.close()
