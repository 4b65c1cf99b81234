"""Advisory locks: who may upgrade, and who may sweep.

A lock of the session kind ends with its connection, so a process that dies, or is cut off, frees it by itself.
"""

import asyncio
from typing import Protocol

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.engine import Database, fetch
from usher_models.errors import NotLeading

# Arbitrary constants that nobody else in the database is likely to use.
UPGRADE_LOCK = 0x0757_4845_0001
SWEEP_LOCK = 0x0757_4845_0002
# Of the two-number kind: the second is a user.
ENDPOINT_LOCK = 0x0757_4845


# The server ends a session that says nothing for the lease: a stopped or hung leader keeps its TCP connection, and
# would keep the lock for ever. Servers before Postgres 14 do not know the setting and are left alone.
_LEASE = text(
    "SELECT set_config('idle_session_timeout', :lease, false)"
    " WHERE current_setting('idle_session_timeout', true) IS NOT NULL"
)
_TAKE = text("SELECT pg_backend_pid() WHERE pg_try_advisory_lock(:lock)")
_HELD = text(
    "SELECT true FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = :pid AND objsubid = 1"
    " AND classid = CAST(:high AS bigint)::oid AND objid = CAST(:low AS bigint)::oid"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


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
    """Holds `lock` on a connection of its own for as long as the process and its connection live.

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

    async def acquire(self) -> bool:
        """True if this process holds the lock now; takes it if it is free. False if the database is away."""
        async with self._using:
            try:
                taken = await (self._take() if self._connection is None else self._is_alive(self._connection))
            except (SQLAlchemyError, OSError):
                taken = False
            if not taken:
                await self._let_go()
            return taken

    async def _take(self) -> bool:
        self._connection = await self._database.engine.connect()
        await self._connection.execute(_LEASE, {"lease": f"{self._lease_s * 1000:.0f}"})
        self._pid = await self._connection.scalar(_TAKE, {"lock": self._lock}) or 0
        return bool(self._pid)

    async def _is_alive(self, connection: AsyncConnection) -> bool:
        # The lock is as alive as the connection that holds it.
        return bool(await connection.scalar(text("SELECT true")))

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
        except (SQLAlchemyError, OSError):
            pass
        finally:
            # Never back to the pool: it would keep the lease, and a lock that could not be given back.
            await connection.invalidate()
            await connection.close()
