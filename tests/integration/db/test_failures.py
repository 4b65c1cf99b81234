"""A failure of the database says which server failed and what it said, and never the password."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from tests.databases import open_database
from tests.integration.db.private_server import PASSWORD, PrivateServer, private_server
from tests.scenario import Scenario, a_request
from usher_models.db.engine import Database
from usher_models.db.failures import Server
from usher_models.db.reservations import reserve
from usher_models.errors import DatabaseBusy, DatabaseForbids, DatabaseNotReady, DatabaseUnavailable

# A server of one's own takes two seconds and more to make.
pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def strict() -> Iterator[PrivateServer]:
    """A server that asks for a password."""
    with private_server() as server:
        server.sql("CREATE ROLE crowded LOGIN CONNECTION LIMIT 0 PASSWORD 'let-me-in'")
        yield server


async def why(url: str) -> str:
    """What a connection to that URL fails with."""
    database = Database.connect(url)
    try:
        with pytest.raises(DatabaseUnavailable) as failure:
            await database.ping()
    finally:
        await database.close()
    return str(failure.value)


async def test_a_wrong_password_is_named_and_not_shown(strict: PrivateServer) -> None:
    said = await why(strict.url(password="wrong-password"))
    assert f"the database postgres at 127.0.0.1:{strict.port}" in said
    assert 'password authentication failed for user "usher"' in said
    assert "wrong-password" not in said


async def test_an_unknown_host_is_named() -> None:
    said = await why("postgresql+psycopg://usher:hidden@no-such-host.invalid/usher")
    assert "the database usher at no-such-host.invalid:5432" in said
    assert "no-such-host.invalid" in said.split(": ", 1)[1]
    assert "hidden" not in said


async def test_a_closed_port_is_named() -> None:
    said = await why("postgresql+psycopg://usher:hidden@127.0.0.1:1/usher")
    assert "the database usher at 127.0.0.1:1" in said
    assert "Connection refused" in said
    assert "hidden" not in said


async def test_a_server_without_tls_is_named(strict: PrivateServer) -> None:
    assert "server does not support SSL, but SSL was required" in await why(strict.url(query="?sslmode=require"))


async def test_an_unknown_database_is_named(strict: PrivateServer) -> None:
    assert 'database "elsewhere" does not exist' in await why(strict.url(database="elsewhere"))


async def test_too_many_connections_are_named(strict: PrivateServer) -> None:
    url = strict.url(password="let-me-in").replace("usher:", "crowded:")
    assert 'too many connections for role "crowded"' in await why(url)


async def test_a_pool_without_a_free_connection_says_so(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("usher_models.db.engine.CONNECT_TIMEOUT_S", 0.1)
    database = open_database(database_url, pool_size=1)
    async with database.reading():
        with pytest.raises(DatabaseBusy, match=r"No connection to the database usher_test_.* became free in time"):
            await database.ping()
    await database.close()


async def test_a_locked_row_costs_its_own_request_and_no_connection(given: Scenario, database_url: str) -> None:
    user = await given.a_user()
    quick = open_database(database_url, pool_size=2, lock_timeout_ms=50)
    async with given.database.transaction() as connection:
        await connection.execute(text("SELECT FROM users WHERE id = :id FOR UPDATE"), {"id": user.id})
        with pytest.raises(DatabaseBusy, match="A row is locked by another session"):
            async with quick.at_once() as waiting:
                await reserve(waiting, a_request(user))
        await quick.ping()
    async with quick.at_once() as connection:
        assert (await reserve(connection, a_request(user))).created
    await quick.close()


@pytest.mark.own_database
async def test_a_schema_that_is_gone_is_no_fault_of_the_request_and_heals(given: Scenario) -> None:
    bot = await given.a_bot()
    await given.execute("ALTER SCHEMA usher RENAME TO elsewhere")
    with pytest.raises(DatabaseNotReady, match=r"is missing or does not fit .* Run `usher db upgrade`\."):
        await given.fresh(bot)
    await given.execute("ALTER SCHEMA elsewhere RENAME TO usher")
    assert (await given.fresh(bot)).meeting_id == bot.meeting_id


async def test_a_missing_privilege_is_named_and_worth_another_try(given: Scenario) -> None:
    async def read_as_a_guest() -> None:
        async with given.database.transaction() as connection:
            await connection.execute(text("SET LOCAL ROLE pg_monitor"))
            await connection.execute(text("SELECT FROM meetings"))

    with pytest.raises(DatabaseForbids, match="lacks a privilege: permission denied for table meetings"):
        await read_as_a_guest()
    assert issubclass(DatabaseForbids, DatabaseUnavailable)


def test_the_password_is_taken_out_of_what_the_driver_says() -> None:
    server = Server(host="db", port=5432, name="usher", password=PASSWORD)
    assert server.words(OSError(f"missing = after {PASSWORD}\n\nin the URL")) == "missing = after ***; in the URL"
