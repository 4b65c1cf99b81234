"""Databases of a run's own on the test Postgres, for tests and for fault runs.

Several runs may share the server: each names its databases after itself, and the leftovers of runs that died are
dropped by the next one.
"""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from sqlalchemy import make_url

from dev.stores import hostile
from dev.stores.settings import load
from tests.fakes.settings import INSTALLATION
from tests.scenario import TABLES
from usher_models.db import upgrade
from usher_models.db.connecting import Pooler
from usher_models.db.engine import Database

REPOSITORY = Path(__file__).resolve().parents[1]
PREFIX = "usher_test_"


# The run that tries a hostile server: its role has settings that nothing may rely on, and a pooler stands before it.
HOSTILE = "USHER_TEST_HOSTILE" in os.environ


def pooled_url(url: str, *, role: str | None = None) -> str:
    """How to reach the database at that URL through PgBouncer in transaction mode."""
    direct = make_url(url)
    return direct.set(port=load().pgbouncer_port, username=role or direct.username).render_as_string(
        hide_password=False
    )


def open_database(url: str, **options: Any) -> Database:
    """The database at that URL of `Server.create`, reached as this run reaches databases."""
    if not HOSTILE:
        return Database.connect(url, **options)
    return Database.connect(pooled_url(url), pooler=Pooler.TRANSACTION, session_url=url, **options)


def admin_dsn(url: str) -> str:
    """How psycopg reaches that database with the usual settings."""
    return make_url(url).set(drivername="postgresql", username=load().user).render_as_string(hide_password=False)


class Server:
    """The Postgres server, and the databases that this run makes on it."""

    def __init__(self, url: str) -> None:
        self.run = f"{PREFIX}{uuid4().hex[:8]}"
        self._url = make_url(url)
        self._admin = self._connect()
        self._drop_leftovers()

    def create(self, *, template: str = "template0", encoding: str = "UTF8") -> str:
        """The URL of a new database."""
        name = f"{self.run}_{uuid4().hex[:8]}"
        locale = "C" if encoding != "UTF8" else "C.UTF-8"
        self._admin.execute(
            f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY WAL_LOG'
            f" ENCODING '{encoding}' LOCALE '{locale}'".encode()
        )
        role = hostile.ROLE if HOSTILE else self._url.username
        return self._url.set(database=name, username=role).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Drop a database that `create` made."""
        self._admin.execute(f'DROP DATABASE "{make_url(url).database}" WITH (FORCE)'.encode())

    def empty(self, url: str) -> None:
        """Cut whatever an earlier test left open in a database, and delete its rows."""
        with psycopg.connect(admin_dsn(url), autocommit=True) as connection:
            # A pooler's idle sessions are no test's, and it would hand on those that were cut just now.
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND (state <> 'idle' OR NOT %s)",
                [HOSTILE],
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


def belong_to(url: str, installation: str) -> None:
    """Let a migrated database be that installation's."""
    with psycopg.connect(admin_dsn(url), autocommit=True) as connection:
        connection.execute("UPDATE usher.installation SET id = %s", [installation])


def start_stores(*, with_hostile: bool = HOSTILE) -> None:
    """Start what does not run."""
    subprocess.run(
        [sys.executable, "-m", "dev.stores", "up", *(["--hostile"] if with_hostile else [])],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        check=True,
    )


def running_server() -> Server:
    """The server, started when it does not answer."""
    url = os.environ.get("USHER_TEST_DATABASE_URL", load().database_url)
    try:
        return Server(url)
    except psycopg.OperationalError:
        start_stores()
        return Server(url)


@asynccontextmanager
async def own_database(*, pool_size: int = 10) -> AsyncIterator[tuple[Database, str]]:
    """A migrated database and its URL, for as long as the context lasts."""
    server = running_server()
    url = server.create()
    database = Database.connect(url, pool_size=pool_size, application_name="usher-faults")
    try:
        await upgrade.upgrade(database)
        belong_to(url, INSTALLATION)
        yield database, url
    finally:
        await database.close()
        server.drop(url)
        server.close()
