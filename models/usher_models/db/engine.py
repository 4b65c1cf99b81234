"""Connections to Postgres, and the translation of "the database is away" into one error.

A `Database` lives as long as its process. It holds a bounded pool; a lost server is noticed by the first statement
that fails, which empties the pool, so the next try connects anew.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from typing import Any, Self

import psycopg
from psycopg.rows import dict_row
from sqlalchemy import TextClause, text
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from usher_models.errors import DatabaseUnavailable, NotStorable

_DIALECT = PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_MS = 30_000
# An abandoned transaction must not hold a user's row lock for longer than a bot's retry takes.
IDLE_IN_TRANSACTION_TIMEOUT_MS = 60_000


class Database:
    """A pool of connections. `pool_size` is the most connections this process ever opens."""

    def __init__(self, engine: AsyncEngine) -> None:
        # A statement, and an exchange of several, commits itself: that is what nearly all are, and telling each
        # connection of it whenever it leaves the pool would cost more than some of them.
        self.engine = engine
        # The same pool.
        self._transactional = engine.execution_options(isolation_level="READ COMMITTED")

    @classmethod
    def connect(cls, url: str, *, pool_size: int = 10, application_name: str = "usher") -> Self:
        """A database at `url` (`postgresql+psycopg://…`); connects lazily."""
        return cls(
            create_async_engine(
                url,
                pool_size=pool_size,
                max_overflow=0,
                pool_timeout=CONNECT_TIMEOUT_S,
                isolation_level="AUTOCOMMIT",
                connect_args={
                    "connect_timeout": CONNECT_TIMEOUT_S,
                    "application_name": application_name,
                    "keepalives_idle": 10,
                    "keepalives_interval": 5,
                    "keepalives_count": 3,
                    "tcp_user_timeout": 15_000,
                    "options": (
                        f"-c statement_timeout={STATEMENT_TIMEOUT_MS}"
                        f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_TIMEOUT_MS}"
                    ),
                },
            )
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed on a clean exit, rolled back on any error.

        Raises DatabaseUnavailable when the server cannot be reached or went away in the middle, and NotStorable for a
        value that Postgres has no room or no form for.
        """
        with _translated():
            async with self._transactional.begin() as connection:
                yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """For a statement that reads: one exchange with the server instead of three. Raises DatabaseUnavailable.

        Two statements here see two moments; what must be of one moment belongs into a transaction, and a write there or
        into `at_once`.
        """
        with _translated():
            async with self.engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def at_once(self) -> AsyncIterator[AsyncConnection]:
        """For a write that is one statement or `in_one_exchange`: a transaction that begins and ends at the server.

        What it locks is held while the server works, not until this process comes to say COMMIT. Raises
        DatabaseUnavailable and NotStorable.
        """
        with _translated():
            async with self.engine.connect() as connection:
                yield connection

    async def ping(self) -> None:
        """Raise DatabaseUnavailable unless the server answers."""
        async with self.reading() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


async def in_one_exchange(
    connection: AsyncConnection, statements: Sequence[TextClause], values: Mapping[str, Any]
) -> list[list[dict[str, Any]]]:
    """The rows of each statement; the server gets all of them at once, and begins each after the one before it.

    They belong to the connection's transaction, or make one of their own where it commits by itself (a pipeline ends
    with one Sync, see "Pipelining" in the protocol's description). Errors are psycopg's own.
    """
    driver = _driver(connection)
    if not driver.autocommit and not connection.in_transaction():
        await connection.begin()  # what is said past it begins nothing, and there would be nothing to commit
    if len(statements) == 1:
        return [await _fetched(await _executed(driver, statements[0], values))]
    try:
        async with driver.pipeline():
            cursors = [await _executed(driver, statement, values) for statement in statements]
    except psycopg.Error as exc:
        # A pipeline that fails leaves psycopg in doubt about which statements were prepared in it.
        await connection.invalidate(exc)
        raise
    return [await _fetched(cursor) for cursor in cursors]


async def fetch(connection: AsyncConnection, statement: TextClause, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of one statement, by the same way: half of what SQLAlchemy takes, for what is asked all the time."""
    (rows,) = await in_one_exchange(connection, (statement,), values)
    return rows


def _driver(connection: AsyncConnection) -> psycopg.AsyncConnection[Any]:
    """psycopg's own connection; asking for it in the documented way costs a switch of greenlets, each time."""
    assert connection.sync_connection is not None  # noqa: S101 - it is open
    driver: psycopg.AsyncConnection[Any] = connection.sync_connection.connection.driver_connection  # type: ignore[assignment]
    return driver


Cursor = psycopg.AsyncRawCursor[dict[str, Any]]


async def _executed(driver: psycopg.AsyncConnection[Any], statement: TextClause, values: Mapping[str, Any]) -> Cursor:
    sql, names = _compiled(statement)
    cursor: Cursor = psycopg.AsyncRawCursor(driver, row_factory=dict_row)
    return await cursor.execute(sql, [values[name] for name in names])


async def _fetched(cursor: Cursor) -> list[dict[str, Any]]:
    return await cursor.fetchall() if cursor.pgresult is not None and cursor.pgresult.nfields else []


@cache
def _compiled(statement: TextClause) -> tuple[bytes, tuple[str, ...]]:
    """The statement with $1, $2 … and the names of their values. psycopg would look for them anew each time in a long
    one: it remembers those of short statements only."""
    compiled = statement.compile(dialect=_DIALECT)
    return str(compiled).encode(), tuple(compiled.positiontup or ())


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError, OSError) as exc:
        raise DatabaseUnavailable from exc
    except (psycopg.OperationalError, psycopg.InterfaceError) as exc:
        raise DatabaseUnavailable from exc
    except (DataError, psycopg.DataError) as exc:
        raise NotStorable from exc
    except DBAPIError as exc:
        if exc.connection_invalidated:
            raise DatabaseUnavailable from exc
        raise
