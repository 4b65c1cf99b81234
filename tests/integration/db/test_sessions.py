"""Every session sets what Usher relies on, whatever the server, the database or the role says."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.databases import open_database
from tests.integration.db.private_server import PrivateServer, private_server
from tests.scenario import Scenario, User, a_request
from usher_models.db import checks, upgrade
from usher_models.db.engine import Database
from usher_models.db.leader_lock import LeaderLock
from usher_models.db.reservations import reserve
from usher_models.db.session import SETTINGS
from usher_models.errors import CapReached, DatabaseNotReady
from usher_operator.kube.botrequest_status import status_of

pytestmark = pytest.mark.timeout(120)

# Another legal value for each setting that a session sets.
OTHERS = {
    "default_transaction_isolation": "repeatable read",
    "timezone": "Asia/Kolkata",
    "datestyle": "German, DMY",
    "intervalstyle": "iso_8601",
    "search_path": "nowhere",
    "statement_timeout": "2s",
    "lock_timeout": "1ms",
    "idle_in_transaction_session_timeout": "2s",
    "idle_session_timeout": "2s",
    "standard_conforming_strings": "off",
    "extra_float_digits": "-15",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "jit": "on",
    "plan_cache_mode": "force_generic_plan",
    "tcp_keepalives_idle": "7000",
    "tcp_keepalives_interval": "7000",
    "tcp_keepalives_count": "9",
}


@asynccontextmanager
async def opened(url: str, **options: int) -> AsyncIterator[Database]:
    database = open_database(url, **options)
    yield database
    await database.close()


async def value(connection: AsyncConnection, name: str) -> str:
    query = text("SELECT setting FROM pg_settings WHERE lower(name) = :name")
    return str(await connection.scalar(query, {"name": name}))


def test_every_setting_has_another_value_here() -> None:
    assert set(OTHERS) == set(SETTINGS) - {"transaction_timeout"}


@pytest.mark.own_database
@pytest.mark.parametrize("name", OTHERS)
async def test_what_the_database_sets_is_overridden(given: Scenario, database_url: str, name: str) -> None:
    async with given.database.transaction() as connection:
        before = await value(connection, name)
    given_value = OTHERS[name] if name == "search_path" else f"'{OTHERS[name]}'"
    database_name = given.database.server.name
    await given.execute(f'ALTER DATABASE "{database_name}" SET {name} = {given_value}')
    async with opened(database_url) as database:
        async with database.transaction() as connection:
            assert await value(connection, name) == before
        bot = await Scenario(database).a_bot().starting().active().beating().completed()
    assert abs(bot.reserved_at - bot.status_changed_at) < timedelta(seconds=60)
    assert bot.reserved_at.utcoffset() == timedelta(0)


@pytest.mark.own_database
@pytest.mark.parametrize("level", ["read committed", "repeatable read", "serializable"])
async def test_the_cap_is_kept_under_every_isolation(given: Scenario, database_url: str, level: str) -> None:
    user = await given.a_user(cap=3)
    await given.execute(
        f"ALTER DATABASE \"{given.database.server.name}\" SET default_transaction_isolation = '{level}'"
    )
    async with opened(database_url, pool_size=12, lock_timeout_ms=60_000) as database:
        outcomes = await asyncio.gather(*(_attempt(database, user) for _ in range(60)))
    assert (outcomes.count(True), outcomes.count(False)) == (3, 57)
    assert await given.slots_held(user) == 3


async def _attempt(database: Database, user: User) -> bool:
    try:
        async with database.at_once() as connection:
            return (await reserve(connection, a_request(user))).created
    except CapReached:
        return False


@pytest.mark.own_database
async def test_a_time_is_told_in_utc_wherever_the_server_stands(given: Scenario, database_url: str) -> None:
    await given.execute(f"ALTER DATABASE \"{given.database.server.name}\" SET timezone = 'Asia/Kolkata'")
    async with opened(database_url) as database:
        bot = await Scenario(database).a_bot().starting()
    told = "to_char(started_at AT TIME ZONE 'utc', 'YYYY-MM-DD\"T\"HH24\\:MI\\:SS\"Z\"')"
    assert status_of(bot, installation="")["startTime"] == await given.scalar(f"SELECT {told} FROM usher.bots")


@pytest.mark.own_database
async def test_the_check_tells_what_the_database_sets_and_finds_nothing_wrong(
    given: Scenario, database_url: str
) -> None:
    await given.execute(f"ALTER DATABASE \"{given.database.server.name}\" SET datestyle = 'German, DMY'")
    async with opened(database_url) as database:
        assert await checks.check(database) == []
        told = await checks.describe(database)
    assert "The database sets DateStyle = German, DMY; Usher's sessions use ISO, MDY." in told


@pytest.fixture(scope="module")
def own_server() -> Iterator[PrivateServer]:
    """A server that a test may turn into a standby."""
    with private_server() as server:
        yield server


@pytest.fixture
async def served(own_server: PrivateServer) -> AsyncIterator[Database]:
    """A migrated database on a server of its own."""
    database = Database.connect(own_server.url())
    await upgrade.upgrade(database)
    yield database
    await database.close()


async def test_a_server_that_turns_read_only_counts_as_away_until_it_writes_again(
    own_server: PrivateServer, served: Database
) -> None:
    leader = LeaderLock(served)
    given = Scenario(served)
    user = await given.a_user()
    assert await leader.acquire()
    old_session = await given.scalar("SELECT pg_backend_pid()")
    own_server.sql("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
    await _until_read_only(served)
    with pytest.raises(DatabaseNotReady, match="does not accept writes"):
        await given.a_user()
    # A session from before would still read; it was closed with the others.
    with pytest.raises(DatabaseNotReady, match="does not accept writes"):
        async with served.reading() as connection:
            await connection.execute(text("SELECT 1"))
    with pytest.raises(DatabaseNotReady, match="does not accept writes"):
        await checks.require_ready(served)
    await leader.release()
    assert not await leader.acquire()
    own_server.sql("ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")
    await _until(served, writable=True)
    await checks.require_ready(served)
    assert (await given.a_bot(user)).live
    assert await given.scalar("SELECT pg_backend_pid()") != old_session
    assert await leader.acquire()
    await leader.release()


async def test_a_primary_that_became_a_standby_counts_as_away_and_heals_without_a_restart(
    own_server: PrivateServer, served: Database
) -> None:
    leader, given = LeaderLock(served), Scenario(served)
    user = await given.a_user()
    bot = await given.a_bot(user).starting()
    assert await leader.acquire()
    own_server.become_standby()
    assert not await leader.acquire()
    assert not await leader.acquire()
    with pytest.raises(DatabaseNotReady, match="it is a standby or read-only"):
        await given.fresh(bot)
    with pytest.raises(DatabaseNotReady, match="does not accept writes"):
        await checks.require_ready(served)
    own_server.promote()
    await _until(served, writable=True)
    assert (await given.fresh(bot)).live
    await checks.require_ready(served)
    assert await leader.acquire()
    await leader.release()


async def _until_read_only(database: Database) -> None:
    """A session learns of a changed setting between two statements, and it takes the server a moment to tell it."""
    await _until(database, writable=False)


async def _until(database: Database, *, writable: bool) -> None:
    async with asyncio.timeout(20):
        while await _is_writable(database) != writable:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.02)


async def _is_writable(database: Database) -> bool:
    try:
        async with database.reading() as connection:
            return not await connection.scalar(text("SELECT current_setting('transaction_read_only')::boolean"))
    except DatabaseNotReady:
        return False
