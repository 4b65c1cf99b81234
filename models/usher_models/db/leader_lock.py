"""Leadership: an advisory lock that one process of a kind holds.

A lock of the session kind ends with its connection, so a process that dies, or is cut off, frees it by itself.
"""

import asyncio
import logging
from typing import Protocol

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.engine import Database, fetch
from usher_models.errors import DatabaseUnavailable, NotLeading

logger = logging.getLogger(__name__)

# Arbitrary constants that no other program in the database is likely to use.
UPGRADE_LOCK = 0x0757_4845_0001
SWEEP_LOCK = 0x0757_4845_0002
# Of the two-number kind: the second is a user.
ENDPOINT_LOCK = 0x0757_4845

# The server ends a session that is idle for the lease: a stopped or hung leader keeps its TCP connection, and would
# keep the lock for ever. A leader whose node lost its power is noticed by TCP keepalives within the lease, also by
# servers before Postgres 14, which do not know idle_session_timeout.
_LEASE = text(
    "SELECT count(set_config(known.name, known.value, false)) FROM ("
    " SELECT * FROM (VALUES ('idle_session_timeout', CAST(:lease AS text)), ('tcp_keepalives_count', '2'),"
    " ('tcp_keepalives_idle', CAST(:third AS text)), ('tcp_keepalives_interval', CAST(:third AS text)))"
    " AS wanted (name, value)"
    " WHERE current_setting(wanted.name, true) IS NOT NULL OFFSET 0) AS known"
)
_TAKE = text("SELECT pg_backend_pid() WHERE pg_try_advisory_lock(:lock)")
# The lock is as alive as the session that holds it, if that is still the same session and its server still a primary.
_KEPT = text("SELECT pg_backend_pid() = :pid AND NOT pg_is_in_recovery()")
_HELD = text(
    "SELECT true FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = :pid AND objsubid = 1"
    " AND classid = CAST(:high AS bigint)::oid AND objid = CAST(:low AS bigint)::oid"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_FAILURES = (SQLAlchemyError, psycopg.Error, DatabaseUnavailable, OSError)


class Fence(Protocol):
    """What may forbid a write."""

    async def confirm(self, connection: AsyncConnection) -> None:
        """Raise NotLeading unless this process may write; asked inside the transaction that is to write."""


class Unfenced:
    """Forbids nothing: for writes that any process may do at any time."""

    async def confirm(self, connection: AsyncConnection) -> None:
        """See Fence."""


UNFENCED = Unfenced()


class LeaderLock:
    """Holds `lock` on a session of its own for as long as the process and its connection live.

    While the process runs, it calls `renew` every `renew_every_s` seconds; `lease_s` after it was stopped or hung, the
    server takes the lock away. Its later writes are fenced off: `confirm` asks the server, inside the transaction that
    is to write, whether this process still holds the lock.
    """

    def __init__(self, database: Database, *, lock: int = SWEEP_LOCK, lease_s: float = 60) -> None:
        self._database = database
        self._lock = lock
        self._lease_s = lease_s
        self._connection: AsyncConnection | None = None
        self._pid = 0
        self._using = asyncio.Lock()
        self._told = ""

    async def acquire(self) -> bool:
        """True if this process holds the lock now; takes it if it is free. False while the database is away."""
        async with self._using:
            try:
                taken = await (self._take() if self._connection is None else self._is_kept(self._connection))
                self._tell("" if taken else "Another process leads; this one waits.")
            except _FAILURES as exc:
                taken = False
                self._tell(f"No leadership while the database is away: {exc}")
            if not taken:
                await self._let_go()
            return taken

    def _tell(self, sentence: str) -> None:
        """Log why this process does not lead, once for each reason."""
        if sentence and sentence != self._told:
            logger.warning("%s", sentence, extra={"action": "not_leading"})
        self._told = sentence

    async def _take(self) -> bool:
        self._connection = await self._database.session()
        third = max(1, round(self._lease_s / 3))
        await self._connection.execute(_LEASE, {"lease": f"{self._lease_s * 1000:.0f}", "third": str(third)})
        self._pid = await self._connection.scalar(_TAKE, {"lock": self._lock}) or 0
        return bool(self._pid)

    async def _is_kept(self, connection: AsyncConnection) -> bool:
        return bool(await connection.scalar(_KEPT, {"pid": self._pid}))

    @property
    def renew_every_s(self) -> float:
        """How often a lock that is held must be renewed."""
        return self._lease_s / 4

    async def renew(self) -> None:
        """Keep a lock that is held from running out: a sweep may last longer than the lease."""
        if self._connection is not None:
            await self.acquire()

    async def confirm(self, connection: AsyncConnection) -> None:
        """Raise NotLeading unless this process holds the lock, as the server sees it now."""
        values = {"pid": self._pid, "high": self._lock >> 32, "low": self._lock & 0xFFFF_FFFF}
        if not self._pid or not await fetch(connection, _HELD, values):
            raise NotLeading

    async def release(self) -> None:
        """Give the lock back, so that another process may take it at once."""
        async with self._using:
            await self._let_go()

    async def _let_go(self) -> None:
        connection, self._connection, self._pid = self._connection, None, 0
        if connection is None:
            return
        try:
            await connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": self._lock})
        except _FAILURES:
            pass
        finally:
            # Never back to the pool: it would keep the lease, and a lock that could not be given back.
            await connection.invalidate()
            await connection.close()
