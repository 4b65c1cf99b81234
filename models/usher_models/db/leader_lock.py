"""Leadership: an advisory lock that one process of a kind holds.

A lock of the session kind ends with its connection, so a process that dies, or is cut off, frees it by itself.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from math import inf
from typing import Protocol

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.engine import Database, driver_of, fetch
from usher_models.db.failures import sqlstate
from usher_models.db.session import READ_ONLY
from usher_models.errors import DatabaseNotReady, DatabaseUnavailable, NotLeading

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
# A server that cannot write gives no lead: a standby, or the former primary that a failover demoted.
_TAKE = text(
    f"SELECT CASE WHEN {READ_ONLY} THEN NULL WHEN pg_try_advisory_lock(:lock) THEN pg_backend_pid() ELSE 0 END"
)
# The lock is as alive as the session that holds it, if that is still the same session and its server still a primary.
_KEPT = text("SELECT pg_backend_pid() = :pid AND NOT pg_is_in_recovery()")
_HELD = text(
    "SELECT true FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = :pid AND objsubid = 1"
    " AND classid = CAST(:high AS bigint)::oid AND objid = CAST(:low AS bigint)::oid"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_IDLE_SESSION_TIMEOUT = "57P05"
_FAILURES = (SQLAlchemyError, psycopg.Error, DatabaseUnavailable, OSError)


class Fence(Protocol):
    """What may forbid an act."""

    @property
    def leads(self) -> bool:
        """True if this process may act, as far as it can know without asking: a leader until its lease is over."""

    @property
    def held_for_s(self) -> float:
        """Seconds for which this process alone has acted."""

    async def confirm(self, connection: AsyncConnection) -> None:
        """Raise NotLeading unless this process may write; asked inside the transaction that is to write."""


class Unfenced:
    """Forbids nothing: for writes that any process may do at any time."""

    leads = True
    held_for_s = 0.0

    async def confirm(self, connection: AsyncConnection) -> None:
        """See Fence."""


UNFENCED = Unfenced()


def require_lead(fence: Fence) -> None:
    """Raise NotLeading unless the process may still act: for acts that are no transaction of the database."""
    if not fence.leads:
        raise NotLeading


def _why_lost(exc: Exception) -> str:
    if sqlstate(exc) == _IDLE_SESSION_TIMEOUT:
        return "This process paused for longer than its lease and has lost the lead."
    return f"No leadership while the database is away: {str(getattr(exc, 'orig', None) or exc).strip()}"


class LeaderLock:
    """Holds `lock` on a session of its own for as long as the process and its connection live.

    While the process runs, it calls `renew` every `renew_every_s` seconds; `lease_s` after it was stopped or hung, the
    server takes the lock away. The process counts the same lease from the moment before it asked, so `leads` turns
    false before another process can lead, also in one that was stopped and wakes. Its later writes are fenced off:
    `confirm` asks the server, inside the transaction that is to write, whether this process still holds the lock.
    `lost` is set while the lock is not held; `gained` while it is, or once nothing is to be waited for any more.
    """

    def __init__(
        self,
        database: Database,
        *,
        lock: int = SWEEP_LOCK,
        lease_s: float = 15,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._lock = lock
        self.lease_s = lease_s
        self._clock = clock
        self._connection: AsyncConnection | None = None
        self._pid = 0
        self._leads_until = -inf
        self._led_since = inf
        self._using = asyncio.Lock()
        self._told = ""
        self._closed = False
        self.another_leads = False
        """True if the server said last that another process holds the lock; False if it could not be asked."""
        self.gained, self.lost = asyncio.Event(), asyncio.Event()
        self.lost.set()

    @property
    def leads(self) -> bool:
        """See Fence."""
        return self._clock() < self._leads_until

    @property
    def held_for_s(self) -> float:
        """See Fence."""
        return max(0.0, self._clock() - self._led_since) if self.leads else 0.0

    async def acquire(self) -> bool:
        """True if this process holds the lock now; takes it if it is free. False while the database is away.

        A process that waits keeps its session, so asking again costs one short query.
        """
        async with self._using:
            asked_at, self.another_leads = self._clock(), False
            try:
                taken = not self._closed and await self._ask()
                self.another_leads = not taken and not self._closed
                self._tell(
                    logging.INFO, "This process leads." if taken else "Another process leads; this one stands by."
                )
            except _FAILURES as exc:
                taken = False
                await self._let_go()
                self._tell(logging.WARNING, _why_lost(exc))
            if taken:
                self._note_held(asked_at)
            return taken

    def _note_held(self, asked_at: float) -> None:
        self._leads_until = asked_at + self.lease_s
        self._led_since = min(self._led_since, asked_at)
        self.lost.clear()
        self.gained.set()

    async def _ask(self) -> bool:
        connection = self._connection or await self._open()
        if self._pid:
            held = bool(await connection.scalar(_KEPT, {"pid": self._pid}))
            if not held:
                await self._let_go()
            return held
        pid = await connection.scalar(_TAKE, {"lock": self._lock})
        if pid is None:
            raise DatabaseNotReady(f"The server of {self._database.server} does not accept writes.")
        self._pid = int(pid)
        return self._pid > 0

    def _tell(self, level: int, sentence: str) -> None:
        """Log whether this process leads, or why not, once for each reason."""
        if sentence != self._told:
            logger.log(level, "%s", sentence, extra={"action": "leading" if self._pid else "not_leading"})
        self._told = sentence

    async def _open(self) -> AsyncConnection:
        self._connection = connection = await self._database.session()
        # A server that hangs keeps nobody from the lead for longer than the lease.
        driver = driver_of(connection)
        driver.answer_timeout_s = min(driver.answer_timeout_s, self.lease_s / 2)
        third = max(1, round(self.lease_s / 3))
        await connection.execute(_LEASE, {"lease": f"{self.lease_s * 1000:.0f}", "third": str(third)})
        return connection

    @property
    def renew_every_s(self) -> float:
        """How often a lock that is held must be renewed."""
        return self.lease_s / 4

    async def renew(self) -> None:
        """Keep a lock that is held from running out: a sweep may last longer than the lease."""
        if self._pid:
            await self.acquire()

    async def confirm(self, connection: AsyncConnection) -> None:
        """Raise NotLeading unless this process holds the lock, as the server sees it now."""
        values = {"pid": self._pid, "high": self._lock >> 32, "low": self._lock & 0xFFFF_FFFF}
        if not self._pid or not await fetch(connection, _HELD, values):
            raise NotLeading

    async def close(self) -> None:
        """Give the lock back and take it no more: the process ends."""
        self._closed = True
        await self.release()

    async def release(self) -> None:
        """Give the lock back, so that another process may take it at once."""
        self._leads_until = -inf
        async with self._using:
            await self._let_go()
        self.gained.set()

    async def _let_go(self) -> None:
        connection, self._connection, self._pid = self._connection, None, 0
        self._leads_until, self._led_since = -inf, inf
        self.gained.clear()
        self.lost.set()
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
