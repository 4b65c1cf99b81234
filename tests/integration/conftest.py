"""Real stores for every test: Postgres with an empty, migrated database, and Redis.

The stores are started when they do not answer. A database is a copy of a template that was migrated once per run.
Tests share one and find it empty, which costs a few milliseconds; a test that changes the schema or writes very much is
marked `own_database` and gets a copy of its own, which costs a tenth of a second. Several runs may share the server:
each names its databases after itself, and the leftovers of runs that died are dropped by the next one.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import make_url

from tests.databases import HOSTILE, Server, belong_to, open_database, running_server
from tests.fakes.settings import INSTALLATION
from tests.scenario import Scenario
from usher_models.db import upgrade
from usher_models.db.engine import Database


def pytest_configure(config: pytest.Config) -> None:
    """Name the markers."""
    config.addinivalue_line("markers", "own_database: this test changes the schema, or writes very much")
    config.addinivalue_line("markers", "direct: this test is of sessions that no pooler in transaction mode can give")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the hostile run cannot try; the usual run does."""
    left_out = [item for item in items if HOSTILE and item.get_closest_marker("direct")]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server, started when it does not answer."""
    server = running_server()
    yield server
    server.close()


@pytest.fixture(scope="session")
def template(server: Server) -> Iterator[str]:
    """The name of a migrated, empty database to copy from."""

    async def migrate(url: str) -> None:
        database = Database.connect(url)
        await upgrade.upgrade(database)
        await database.close()

    url = server.create()
    with asyncio.Runner() as runner:
        runner.run(migrate(url))
    belong_to(url, INSTALLATION)
    yield str(make_url(url).database)
    server.drop(url)


@pytest.fixture
def empty_database_url(server: Server) -> Iterator[str]:
    """The URL of a database without any table."""
    url = server.create()
    yield url
    server.drop(url)


@pytest.fixture(scope="session")
def shared_database_url(server: Server, template: str) -> Iterator[str]:
    """The URL of the migrated database that most tests share."""
    url = server.create(template=template)
    yield url
    server.drop(url)


@pytest.fixture
def own_database_url(server: Server, template: str) -> Iterator[str]:
    """The URL of a migrated database of this test's own."""
    url = server.create(template=template)
    yield url
    server.drop(url)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, server: Server) -> str:
    """The URL of a migrated database without any row."""
    if request.node.get_closest_marker("own_database"):
        return str(request.getfixturevalue("own_database_url"))
    url = str(request.getfixturevalue("shared_database_url"))
    server.empty(url)
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The test's database, with a pool of ten."""
    database = open_database(database_url, pool_size=10, application_name="usher-test")
    yield database
    await database.close()


@pytest.fixture
def given(database: Database) -> Scenario:
    """The scenario builder on the test's database; see `tests/scenario.py`."""
    return Scenario(database)
