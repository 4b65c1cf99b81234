"""How a connection to Postgres begins: its session gets Usher's settings, or is refused with a sentence.

A pooler in between is recognised by the process number of the session: Postgres sends it at the login, and a pooler
makes one up.
"""

from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg.rows import dict_row
from sqlalchemy import make_url
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from usher_models.db.dates import read_odd_dates_as_none
from usher_models.db.failures import Server
from usher_models.db.patience import PatientConnection
from usher_models.db.session import LOCK_TIMEOUT_MS, set_up
from usher_models.errors import DatabaseNotReady, DatabaseUnavailable

CONNECT_TIMEOUT_S = 5


def is_database_url(text: str) -> bool:
    """True if it is a URL of Postgres, for the driver that Usher uses."""
    try:
        return make_url(text).drivername == urlsplit(text).scheme == "postgresql+psycopg"
    except (ArgumentError, ValueError):
        return False


class Pooler(StrEnum):
    """What stands between Usher and Postgres, as USHER_DATABASE_POOLER says."""

    NONE = "none"
    SESSION = "session"
    TRANSACTION = "transaction"


class Connector:
    """Opens connections to one URL."""

    def __init__(
        self,
        url: str,
        *,
        application_name: str,
        pooler: Pooler = Pooler.NONE,
        lock_timeout_ms: int = LOCK_TIMEOUT_MS,
    ) -> None:
        self._url = make_url(url)
        self._application_name = application_name
        self.pooler = pooler
        self._lock_timeout_ms = lock_timeout_ms
        self.server = Server.of(self._url)

    @property
    def url(self) -> URL:
        """Where to."""
        return self._url

    async def connect(self) -> psycopg.AsyncConnection[Any]:
        """A new connection. Raises psycopg's errors, DatabaseNotReady and DatabaseUnavailable."""
        driver = await PatientConnection.connect(**self._arguments())
        read_odd_dates_as_none(driver)
        try:
            if self.pooler is not Pooler.TRANSACTION:
                await self._prepare(driver)
        except BaseException:
            await driver.close()
            raise
        return driver

    def set_up(self, *, local: bool) -> str:
        """The statement that gives a session, or a transaction, Usher's settings."""
        return set_up(local=local, lock_timeout_ms=self._lock_timeout_ms)

    async def _prepare(self, driver: psycopg.AsyncConnection[Any]) -> None:
        cursor = driver.cursor(row_factory=dict_row)
        session = await (await cursor.execute(self.set_up(local=False).encode())).fetchone()
        assert session is not None  # noqa: S101 - an aggregate has one row
        if self.pooler is Pooler.NONE and session["pid"] != driver.info.backend_pid:
            raise DatabaseUnavailable(
                f"A connection pooler answers for {self.server}: set USHER_DATABASE_POOLER to session or transaction,"
                " as the pooler is configured."
            )
        if session["read_only"]:
            raise DatabaseNotReady(f"The server of {self.server} does not accept writes: it is a standby or read-only.")

    def _arguments(self) -> dict[str, Any]:
        _, arguments = PGDialect_psycopg().create_connect_args(self._url)  # type: ignore[no-untyped-call]
        prepared = {"prepare_threshold": None} if self.pooler is Pooler.TRANSACTION else {}
        return {
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": self._application_name,
            "client_encoding": "UTF8",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 15_000,
            "autocommit": True,
            **prepared,
            **arguments,
        }
