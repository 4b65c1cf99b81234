"""What a failure of the database means, by its SQLSTATE, and a sentence that says which server failed and why.

The sentence repeats what the server or the driver said, and never the password.
"""

from dataclasses import dataclass

import psycopg
from sqlalchemy.engine import URL
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from usher_models.errors import (
    DatabaseBusy,
    DatabaseForbids,
    DatabaseNotReady,
    DatabaseUnavailable,
    NotStorable,
    UsherError,
)

READ_ONLY = "25006"
LOCK_NOT_AVAILABLE = "55P03"
INSUFFICIENT_PRIVILEGE = "42501"
# A schema, table, column or function is missing: the schema was not made yet, is older than this version, or is gone.
MISSING = frozenset({"3F000", "42P01", "42703", "42883"})
# The session lost what the driver believes it prepared: the plan changed, or a pooler gave another session.
UNPREPARED = frozenset({"0A000", "26000", "42P05", "08P01"})
# The server ended the session, which the driver may notice later.
ENDED = frozenset({"25P03", "57P01", "57P02", "57P03", "57P05"})
LONGEST = 600


@dataclass(frozen=True, kw_only=True)
class Server:
    """Which database a connection belongs to."""

    host: str
    port: int
    name: str
    password: str = ""

    @classmethod
    def of(cls, url: URL) -> "Server":
        """The server of that URL."""
        named = url.host or url.query.get("host") or "the local socket"
        return cls(
            host=named if isinstance(named, str) else ", ".join(named),
            port=url.port or 5432,
            name=url.database or str(url.query.get("dbname") or url.username or "of the default name"),
            password=str(url.password or url.query.get("password") or ""),
        )

    def __str__(self) -> str:
        return f"the database {self.name} at {self.host}:{self.port}"

    def words(self, failure: BaseException) -> str:
        """What the server or the driver said, in one line and without the password."""
        said = "; ".join(line.strip() for line in str(_original(failure)).splitlines() if line.strip())
        said = said or type(failure).__name__
        return (said.replace(self.password, "***") if self.password else said)[:LONGEST].rstrip(".")


def meaning(failure: BaseException, *, server: Server) -> UsherError | None:
    """The failure as one of Usher's errors; None when it is a fault of the statement."""
    if isinstance(failure, PoolTimeoutError):
        return DatabaseBusy(f"No connection to {server} became free in time: {server.words(failure)}.")
    state, words = sqlstate(failure), server.words(failure)
    if state == LOCK_NOT_AVAILABLE:
        return DatabaseBusy(f"A row is locked by another session of {server}; try again.")
    if state == READ_ONLY:
        return DatabaseNotReady(f"The server of {server} does not accept writes: {words}.")
    if state in MISSING:
        return DatabaseNotReady(
            f"The schema of {server} is missing or does not fit this version: {words}. Run `usher db upgrade`."
        )
    if state == INSUFFICIENT_PRIVILEGE:
        return DatabaseForbids(f"The role of {server} lacks a privilege: {words}.")
    if state in UNPREPARED:
        return DatabaseUnavailable(
            f"A session of {server} lost its prepared statements: {words}."
            " If a pooler stands before the database, set USHER_DATABASE_POOLER."
        )
    if isinstance(_original(failure), psycopg.DataError) or isinstance(failure, DataError):
        return NotStorable()
    if _is_away(failure):
        return DatabaseUnavailable(f"No answer from {server}: {words}.")
    return None


def ends_connection(failure: BaseException) -> bool:
    """True if the connection must not be used again, although it may still be open."""
    state = sqlstate(failure)
    return state == READ_ONLY or state in UNPREPARED or state in ENDED


def sqlstate(failure: BaseException) -> str | None:
    """The SQLSTATE with which the server failed; None for a failure of the driver."""
    return getattr(_original(failure), "sqlstate", None)


def constraint(failure: BaseException) -> str | None:
    """The name of the constraint that a statement violated; messages are in the server's language."""
    original = _original(failure)
    return original.diag.constraint_name if isinstance(original, psycopg.Error) else None


def _original(failure: BaseException) -> BaseException:
    return failure.orig if isinstance(failure, DBAPIError) and failure.orig is not None else failure


def _is_away(failure: BaseException) -> bool:
    away = (OperationalError, InterfaceError, OSError, psycopg.OperationalError, psycopg.InterfaceError)
    lost = isinstance(failure, DBAPIError) and failure.connection_invalidated
    return isinstance(failure, away) or lost or sqlstate(failure) in ENDED
