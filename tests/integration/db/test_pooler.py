"""Through a real PgBouncer in transaction mode, which lends a session for one transaction and keeps nothing of it."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest
from sqlalchemy import text

from tests.databases import HOSTILE, Server, pooled_url, start_stores
from tests.scenario import Scenario, User, a_request
from usher_models.db import bots, checks
from usher_models.db.connecting import Pooler
from usher_models.db.engine import Database
from usher_models.db.leader_lock import LeaderLock
from usher_models.db.reservations import reserve
from usher_models.errors import CapReached, DatabaseUnavailable

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="session")
def _pgbouncer(server: Server) -> None:
    """The pooler, started unless this run has it already."""
    if not HOSTILE:
        start_stores(with_hostile=True)


@pytest.fixture
def through_pooler(_pgbouncer: None, database_url: str) -> str:
    """The test's database as the pooler gives it, for a role whose settings are hostile."""
    return pooled_url(database_url, role="hostile")


@pytest.fixture
async def pooled(through_pooler: str, database_url: str) -> AsyncIterator[Database]:
    """The test's database through the pooler, with the setting for it."""
    database = Database.connect(
        through_pooler,
        pool_size=20,
        pooler=Pooler.TRANSACTION,
        session_url=database_url,
        lock_timeout_ms=60_000,
    )
    yield database
    await database.close()


async def test_a_life_passes_through_the_pooler(pooled: Database) -> None:
    given = Scenario(pooled)
    bot = await given.a_bot().with_job().starting().active().beating().asked_to_leave().stopping().completed()
    assert not bot.live
    assert [line.target for line in await given.story(bot)] == [
        "reserved",
        "starting",
        "active",
        "stopping",
        "completed",
    ]


async def test_eighty_reads_at_once_answer_alike(pooled: Database) -> None:
    bot = await Scenario(pooled).a_bot()

    async def read() -> int:
        async with pooled.reading() as connection:
            found = await bots.bot_by_connection(connection, bot.connection_id)
            assert found is not None
            return found.meeting_id

    assert await asyncio.gather(*(read() for _ in range(80))) == [bot.meeting_id] * 80


async def test_the_cap_is_kept_though_the_role_wants_repeatable_read(pooled: Database) -> None:
    given = Scenario(pooled)
    user = await given.a_user(cap=3)
    outcomes = await asyncio.gather(*(_attempt(pooled, user) for _ in range(60)))
    assert (outcomes.count(True), outcomes.count(False)) == (3, 57)
    assert await given.slots_held(user) == 3


async def _attempt(database: Database, user: User) -> bool:
    try:
        async with database.at_once() as connection:
            return (await reserve(connection, a_request(user))).created
    except CapReached:
        return False


async def test_leadership_is_held_on_a_session_of_postgres_itself(pooled: Database) -> None:
    first, second = LeaderLock(pooled), LeaderLock(pooled)
    assert await first.acquire()
    assert not await second.acquire()
    async with pooled.transaction() as connection:
        await first.confirm(connection)
    assert await first.acquire()
    await first.release()
    assert await second.acquire()
    await second.release()


async def test_the_settings_of_a_transaction_are_not_left_to_the_next_client(
    pooled: Database, through_pooler: str
) -> None:
    async with pooled.transaction() as connection:
        assert await connection.scalar(text("SHOW timezone")) == "UTC"
    dsn = through_pooler.replace("+psycopg", "")
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True, prepare_threshold=None) as next_client:
        found = await (await next_client.execute("SHOW lock_timeout")).fetchone()
    assert found == ("50ms",)


async def test_a_pooler_that_was_not_expected_is_refused_with_a_sentence(through_pooler: str) -> None:
    database = Database.connect(through_pooler)
    with pytest.raises(
        DatabaseUnavailable, match=r"A connection pooler answers .* set USHER_DATABASE_POOLER to session"
    ):
        await database.ping()
    await database.close()


async def test_the_check_recognises_a_pooler_in_transaction_mode(through_pooler: str) -> None:
    database = Database.connect(through_pooler, pooler=Pooler.SESSION)
    problems = await checks.check(database)
    await database.close()
    assert any("it is in transaction mode. Set USHER_DATABASE_POOLER to transaction" in line for line in problems)


async def test_the_check_of_a_right_set_up_finds_nothing(pooled: Database) -> None:
    assert await checks.check(pooled) == []


@pytest.mark.own_database
async def test_the_check_tells_when_the_two_urls_lead_apart(
    through_pooler: str, own_database_url: str, shared_database_url: str
) -> None:
    database = Database.connect(through_pooler, pooler=Pooler.TRANSACTION, session_url=shared_database_url)
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE usher.installation SET id = gen_random_uuid()"))
    assert await checks.check(database) == [
        "USHER_DATABASE_SESSION_URL and USHER_DATABASE_URL lead to two different databases."
    ]
    await database.close()


async def test_a_session_url_that_leads_to_a_pooler_gives_no_leadership(
    through_pooler: str, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database.connect(through_pooler, pooler=Pooler.TRANSACTION, session_url=through_pooler)
    assert not await LeaderLock(database).acquire()
    assert "A connection pooler answers" in caplog.text
    await database.close()
