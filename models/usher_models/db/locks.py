"""Advisory locks: who may upgrade, and who may sweep.

A lock of the session kind ends with its connection, so a process that dies, or is cut off, frees it by itself.
"""

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.engine import Database

# Arbitrary constants that nobody else in the database is likely to use.
UPGRADE_LOCK = 0x0757_4845_0001
SWEEP_LOCK = 0x0757_4845_0002
# Of the two-number kind: the second is a user.
ENDPOINT_LOCK = 0x0757_4845


class SingleFlight:
    """Holds `lock` on a connection of its own for as long as the process and its connection live."""

    def __init__(self, database: Database, *, lock: int = SWEEP_LOCK) -> None:
        self._database = database
        self._lock = lock
        self._connection: AsyncConnection | None = None

    async def acquire(self) -> bool:
        """Whether this process holds the lock now; takes it when it is free. False when the database is away."""
        try:
            if self._connection is None:
                engine = self._database.engine.execution_options(isolation_level="AUTOCOMMIT")
                self._connection = await engine.connect()
                taken = await self._connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": self._lock})
            else:
                # The lock is as alive as the connection that holds it.
                taken = await self._connection.scalar(text("SELECT true"))
        except (SQLAlchemyError, OSError):
            taken = False
        if not taken:
            await self.release()
        return bool(taken)

    async def release(self) -> None:
        """Give the lock back, so that another process may take it at once."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            await connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": self._lock})
        except (SQLAlchemyError, OSError):
            # A pooled connection would keep the lock for ever; one that is cut loses it.
            await connection.invalidate()
        finally:
            await connection.close()
