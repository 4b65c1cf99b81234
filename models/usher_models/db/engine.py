"""The pool of connections to Postgres, and the translation of its failures into Usher's errors.

A `Database` lives as long as its process. A lost server is noticed by the first statement that fails; the next one
connects anew. A server that cannot write counts as lost: its connections are closed, so that the next one may find the
server that took over.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import cache
from typing import Any, Self
from weakref import WeakSet

import psycopg
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.rows import dict_row
from sqlalchemy import TextClause, event, text
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import QueuePool

from usher_models.db.connecting import CONNECT_TIMEOUT_S, Connector, Pooler
from usher_models.db.failures import READ_ONLY as SERVER_IS_READ_ONLY
from usher_models.db.failures import ends_connection, meaning, sqlstate
from usher_models.db.patience import ANSWER_TIMEOUT_S, PatientConnection
from usher_models.db.session import CAN_WRITE, LOCK_TIMEOUT_MS
from usher_models.db.shares import Shares
from usher_models.errors import DatabaseNotReady, DatabaseUnavailable

_DIALECT = PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
# A tenant may hold this share of a pool, and never less than one connection of it.
TENANT_SHARE = 2 / 5
# Waiting for one's own share takes nothing from others: a burst of one user is served one after the other.
TENANT_WAIT_S = 15.0
RETURN_TIMEOUT_S = 0.5
# What is returned after its connection was closed waits for no server.
LAST_RETURN_TIMEOUT_S = 1.0


class Database:
    """A pool of connections. `pool_size` is the most connections this process ever opens with it.

    With a pooler in transaction mode every use is a transaction, whose settings are set in it; leadership, which is a
    lock of a session, then needs `session_url`, which leads to Postgres itself.
    """

    def __init__(self, connector: Connector, *, pool_size: int = 10, sessions: Connector | None = None) -> None:
        self.server = connector.server
        self._current: WeakSet[psycopg.AsyncConnection[Any]] = WeakSet()
        # The pool forgets a connection that is lent when it is closed, and one whose first use was cut off.
        self._opened: set[psycopg.AsyncConnection[Any]] = set()
        self._closed = False
        # A statement, and an exchange of several, commits itself: that is what nearly all are, and telling each
        # connection of it whenever it leaves the pool would cost more than some of them.
        self.engine = self._pool(connector, size=pool_size)
        self.pooler = connector.pooler
        self._local = text(connector.set_up(local=True))
        self._by_transaction = connector.pooler is Pooler.TRANSACTION
        self._sessions = self._pool(sessions, size=2) if sessions else self.engine
        self._shares = Shares(max(1, int(pool_size * TENANT_SHARE)), wait_s=TENANT_WAIT_S)

    @classmethod
    def connect(
        cls,
        url: str,
        *,
        pool_size: int = 10,
        application_name: str = "usher",
        pooler: Pooler = Pooler.NONE,
        session_url: str = "",
        lock_timeout_ms: int = LOCK_TIMEOUT_MS,
    ) -> Self:
        """A database at `url` (`postgresql+psycopg://…`); connects lazily."""
        direct = Connector(session_url, application_name=application_name) if session_url else None
        connector = Connector(url, application_name=application_name, pooler=pooler, lock_timeout_ms=lock_timeout_ms)
        return cls(connector, pool_size=pool_size, sessions=direct if pooler is Pooler.TRANSACTION else None)

    def _pool(self, connector: Connector, *, size: int) -> AsyncEngine:
        async def create() -> psycopg.AsyncConnection[Any]:
            driver = await self._open(connector)
            self._current.add(driver)
            return driver

        engine = create_async_engine(
            connector.url,
            async_creator=create,
            pool_size=size,
            max_overflow=0,
            pool_timeout=CONNECT_TIMEOUT_S,
            isolation_level="AUTOCOMMIT",
        )
        event.listen(engine.sync_engine, "checkout", self._require_usable)
        return engine

    async def _open(self, connector: Connector) -> psycopg.AsyncConnection[Any]:
        """A new connection, which `close` closes if nothing else does."""
        driver = None if self._closed else await connector.connect()
        if driver is not None and self._closed:
            await driver.close()
        if driver is None or driver.closed:
            raise DatabaseUnavailable(f"This process has closed its connections to {self.server}.")
        self._opened = {each for each in self._opened if not each.closed} | {driver}
        return driver

    def _require_usable(self, connection: Any, *_: object) -> None:
        """Replace a connection from before the server turned read-only, and one that was left in the middle of work."""
        driver: psycopg.AsyncConnection[Any] = connection.driver_connection
        if driver not in self._current or not _is_at_rest(driver):
            raise DisconnectionError

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed on a clean exit, rolled back on any error.

        Raises DatabaseUnavailable if the server cannot be reached, cannot write, or is lost in the middle, and
        NotStorable for a value that Postgres has no room or no form for.
        """
        async with self._connection(transactional=True) as connection:
            yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """For a statement that reads: one exchange with the server instead of three. Raises DatabaseUnavailable.

        Two statements here see two moments; what must be of one moment belongs into a transaction, and a write there or
        into `at_once`.
        """
        async with self._connection() as connection:
            yield connection

    @asynccontextmanager
    async def at_once(self) -> AsyncIterator[AsyncConnection]:
        """For a write that is one statement or `in_one_exchange`: a transaction that begins and ends at the server.

        Its locks are held while the server works, and not until this process sends COMMIT. Raises DatabaseUnavailable
        and NotStorable.
        """
        async with self._connection() as connection:
            yield connection

    async def session(self) -> AsyncConnection:
        """A session of Postgres for a lock that belongs to it; the caller closes it. Raises DatabaseUnavailable."""
        with self._failures():
            connection = await self._sessions.connect()
            try:
                await self._require_writable(connection)
            except BaseException:
                await connection.close()
                raise
            return connection

    async def ping(self) -> None:
        """Raise DatabaseUnavailable unless the server answers and accepts writes."""
        async with self.reading() as connection:
            await self._require_writable(connection)

    async def close(self) -> None:
        """Close every connection, also those in use, and open no more."""
        self._closed = True
        pools = [engine.pool for engine in (self.engine, self._sessions) if isinstance(engine.pool, QueuePool)]
        await _wait_for_returns(pools, RETURN_TIMEOUT_S)
        for driver in self._opened:
            await driver.close()
        await _wait_for_returns(pools, LAST_RETURN_TIMEOUT_S)
        await self.engine.dispose()
        await self._sessions.dispose()

    @asynccontextmanager
    async def _connection(self, *, transactional: bool = False) -> AsyncIterator[AsyncConnection]:
        lending = _beginning if transactional or self._by_transaction else AsyncEngine.connect
        with self._failures():
            async with self._shares.own(), lending(self.engine) as connection:
                try:
                    if self._by_transaction:
                        await self._set_up(connection)
                    yield connection
                except Exception as failure:
                    await self._discard_after(failure, connection)
                    raise

    async def _set_up(self, connection: AsyncConnection) -> None:
        """Give the transaction Usher's settings: the pooler may have lent the session to any client before."""
        if (await connection.execute(self._local)).one().read_only:
            raise DatabaseNotReady(f"The server of {self.server} does not accept writes.")

    async def _require_writable(self, connection: AsyncConnection) -> None:
        if not await connection.scalar(CAN_WRITE):
            self._renew()
            await connection.invalidate()
            raise DatabaseNotReady(f"The server of {self.server} does not accept writes.")

    async def _discard_after(self, failure: Exception, connection: AsyncConnection) -> None:
        if not ends_connection(failure):
            return
        if sqlstate(failure) == SERVER_IS_READ_ONLY:
            self._renew()
        await connection.invalidate()

    def _renew(self) -> None:
        """Let every connection of the pools be replaced before its next use."""
        self._current = WeakSet()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except Exception as failure:
            known = meaning(failure, server=self.server)
            if known is None:
                raise
            raise known from failure


@asynccontextmanager
async def _beginning(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection in a transaction. An engine with that option would lose a connection when the setting is cut off."""
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="READ COMMITTED")
        async with connection.begin():
            yield connection


async def _wait_for_returns(pools: Sequence[QueuePool], seconds: float) -> None:
    """Wait until what was cancelled has given its connections back, which SQLAlchemy does in tasks of its own.

    Cut off by the end of the event loop, such a task leaves its connection to the garbage collector.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while any(pool.checkedout() for pool in pools):  # noqa: ASYNC110 - a pool has no event for it
                await asyncio.sleep(0.01)


def _is_at_rest(driver: psycopg.AsyncConnection[Any]) -> bool:
    """True if nothing of an earlier use is left: two cancellations in a row may interrupt even the cleaning up."""
    wire = driver.pgconn
    return wire.pipeline_status == PipelineStatus.OFF and wire.transaction_status == TransactionStatus.IDLE


@asynccontextmanager
async def attempt(connection: AsyncConnection) -> AsyncIterator[None]:
    """For a statement that may violate a constraint: its failure leaves the connection's transaction usable."""
    if driver_of(connection).autocommit:
        yield
        return
    async with connection.begin_nested():
        yield


@asynccontextmanager
async def waiting_for_answers(connection: AsyncConnection, seconds: float) -> AsyncIterator[None]:
    """For statements that may last longer than usual: how long the connection waits for an answer meanwhile."""
    driver = driver_of(connection)
    usual = driver.answer_timeout_s
    driver.answer_timeout_s = seconds + ANSWER_TIMEOUT_S
    try:
        yield
    finally:
        driver.answer_timeout_s = usual


async def in_one_exchange(
    connection: AsyncConnection, statements: Sequence[TextClause], values: Mapping[str, Any]
) -> list[list[dict[str, Any]]]:
    """The rows of each statement; the server gets all of them at once, and begins each after the one before it.

    They belong to the connection's transaction, or form one of their own if it commits by itself (a pipeline ends with
    one Sync, see "Pipelining" in the protocol's description). Errors are psycopg's own.
    """
    driver = driver_of(connection)
    if not driver.autocommit and not connection.in_transaction():
        await connection.begin()  # psycopg begins it unseen by SQLAlchemy, which would have nothing to commit
    if len(statements) == 1:
        return [await _fetched(await _executed(driver, statements[0], values))]
    try:
        async with driver.pipeline():
            cursors = [await _executed(driver, statement, values) for statement in statements]
    except BaseException as exc:
        # A pipeline that fails leaves psycopg in doubt about which statements were prepared in it, and one that is
        # cancelled leaves answers behind, which the next statements would take for theirs.
        await connection.invalidate(exc)
        raise
    return [await _fetched(cursor) for cursor in cursors]


async def fetch(connection: AsyncConnection, statement: TextClause, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of one statement, in the same way: it takes half of SQLAlchemy's time, for the most frequent queries."""
    (rows,) = await in_one_exchange(connection, (statement,), values)
    return rows


def driver_of(connection: AsyncConnection) -> PatientConnection:
    """psycopg's own connection; asking for it in the documented way costs a switch of greenlets, each time."""
    assert connection.sync_connection is not None  # noqa: S101 - it is open
    driver: PatientConnection = connection.sync_connection.connection.driver_connection  # type: ignore[assignment]
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
    """The statement with $1, $2 … and the names of their values. psycopg remembers only short statements, and would
    parse a long one each time."""
    compiled = statement.compile(dialect=_DIALECT)
    return str(compiled).encode(), tuple(compiled.positiontup or ())
