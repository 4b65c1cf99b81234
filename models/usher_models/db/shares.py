"""How much of a pool one tenant may hold: requests that wait for a tenant's locked row must not take every connection.

The tenant is a value of the running task: the part of the program that knows whose request it serves states it with
`on_behalf_of`, and every use of the database inside counts for it. A tenant that has its share already waits without a
connection.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

from usher_models.errors import DatabaseBusy

_tenant: ContextVar[str | None] = ContextVar("tenant", default=None)


@contextmanager
def on_behalf_of(tenant: str) -> Iterator[None]:
    """Count the uses of the database inside for that tenant."""
    token = _tenant.set(tenant)
    try:
        yield
    finally:
        _tenant.reset(token)


class Shares:
    """At most `most` connections for each tenant; without a tenant there is no limit but the pool's."""

    def __init__(self, most: int, *, wait_s: float) -> None:
        self._most = most
        self._wait_s = wait_s
        self._limits: dict[str, asyncio.Semaphore] = {}
        self._users: dict[str, int] = {}

    @asynccontextmanager
    async def own(self) -> AsyncIterator[None]:
        """One connection of the running task's tenant. Raises DatabaseBusy if none becomes free in time."""
        tenant = _tenant.get()
        if tenant is None:
            yield
            return
        limit = self._limits.setdefault(tenant, asyncio.Semaphore(self._most))
        self._users[tenant] = self._users.get(tenant, 0) + 1
        try:
            await self._enter(limit)
            try:
                yield
            finally:
                limit.release()
        finally:
            self._leave(tenant)

    async def _enter(self, limit: asyncio.Semaphore) -> None:
        try:
            async with asyncio.timeout(self._wait_s):
                await limit.acquire()
        except TimeoutError as exc:
            raise DatabaseBusy(f"{self._most} requests of this user wait for the database already; try again.") from exc

    def _leave(self, tenant: str) -> None:
        self._users[tenant] -= 1
        if not self._users[tenant]:
            del self._users[tenant], self._limits[tenant]
