"""Real stores for every test: Postgres with an empty, migrated database, and Redis.

The stores are started when they do not answer. A database is a copy of a template that was migrated once per run.
Tests share one and find it empty, which costs a few milliseconds; a test that changes the schema or writes very much is
marked `own_database` and gets a copy of its own, which costs a tenth of a second. Several runs may share the server:
each names its databases after itself, and the leftovers of runs that died are dropped by the next one.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import make_url

from dev.stores.settings import load
from tests.scenario import TABLES, Scenario
from usher_models.db import schema
from usher_models.db.engine import Database

REPOSITORY = Path(__file__).resolve().parents[2]
PREFIX = "usher_test_"


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker."""
    config.addinivalue_line("markers", "own_database: this test changes the schema, or writes very much")


class Server:
    """The Postgres server, and the databases that this run makes on it."""

    def __init__(self, url: str) -> None:
        self.run = f"{PREFIX}{uuid4().hex[:8]}"
        self._url = make_url(url)
        self._admin = self._connect()
        self._drop_leftovers()

    def create(self, *, template: str = "template0") -> str:
        """The URL of a new database."""
        name = f"{self.run}_{uuid4().hex[:8]}"
        self._admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY WAL_LOG'.encode())
        return self._url.set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Drop a database that `create` made."""
        self._admin.execute(f'DROP DATABASE "{make_url(url).database}" WITH (FORCE)'.encode())

    def empty(self, url: str) -> None:
        """Cut whatever an earlier test left open in a database, and delete its rows."""
        dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            connection.execute("; ".join(f"DELETE FROM {table}" for table in reversed(TABLES)).encode())

    def close(self) -> None:
        """Close the connection that marks this run as alive."""
        self._admin.close()

    def _connect(self) -> psycopg.Connection:
        dsn = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        return psycopg.connect(dsn, autocommit=True, connect_timeout=5, application_name=self.run)

    def _drop_leftovers(self) -> None:
        dead = self._admin.execute(
            "SELECT d.datname FROM pg_database d WHERE starts_with(d.datname, %(prefix)s) AND NOT EXISTS ("
            " SELECT FROM pg_stat_activity a WHERE a.application_name = left(d.datname, length(%(prefix)s) + 8))",
            {"prefix": PREFIX},
        ).fetchall()
        for (name,) in dead:
            # Another run may drop it at the same moment.
            self._admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


def _start_stores() -> None:
    subprocess.run(
        [sys.executable, "-m", "dev.stores", "up"],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        check=True,
    )


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server, started when it does not answer."""
    url = os.environ.get("USHER_TEST_DATABASE_URL", load().database_url)
    try:
        server = Server(url)
    except psycopg.OperationalError:
        _start_stores()
        server = Server(url)
    yield server
    server.close()


@pytest.fixture(scope="session")
def template(server: Server) -> Iterator[str]:
    """The name of a migrated, empty database to copy from."""

    async def migrate(url: str) -> None:
        database = Database.connect(url)
        await schema.upgrade(database)
        await database.close()

    url = server.create()
    with asyncio.Runner() as runner:
        runner.run(migrate(url))
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
    database = Database.connect(database_url, pool_size=10, application_name="usher-test")
    yield database
    await database.close()


@pytest.fixture
def given(database: Database) -> Scenario:
    """The scenario builder on the test's database; see `tests/scenario.py`."""
    return Scenario(database)
