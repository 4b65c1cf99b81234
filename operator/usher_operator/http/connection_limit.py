"""The limit on a server's connections, enforced so that one client with many or slow connections cannot lock out the
others.

aiohttp bounds the rest: the size of a head, the requests queued on one connection, and the time without a finished
request, which also ends a head that arrives byte by byte. Each route reads its body in bounded size and time.
"""

import asyncio
from typing import Any

from aiohttp import web


class Connections:
    """The open connections of one server by client address, at most `limit` in all.

    At the limit, a client that has its fair share is rejected; for any other client, the oldest connection of the
    client with the most is closed. Behind a proxy all clients share one address, and are rejected.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: dict[str, dict[Connection, None]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def admit(self, connection: "Connection", address: str) -> bool:
        """Register a new connection. False if its client has too many."""
        own = self._open.setdefault(address, {})
        if self._count >= self._limit:
            if len(own) >= self._limit // len(self._open):
                self._forget_empty(address)
                return False
            self._make_room()
        own[connection] = None
        self._count += 1
        return True

    def leave(self, connection: "Connection", address: str) -> None:
        """Remove a connection, if it is registered."""
        own = self._open.get(address, {})
        if connection in own:
            del own[connection]
            self._count -= 1
            self._forget_empty(address)

    def _make_room(self) -> None:
        address = max(self._open, key=lambda each: len(self._open[each]))
        oldest = next(iter(self._open[address]))
        self.leave(oldest, address)
        oldest.abort()

    def _forget_empty(self, address: str) -> None:
        if not self._open[address]:
            del self._open[address]


class Connection(web.RequestHandler):
    """One connection of a client, registered with its server's limit."""

    __slots__ = ("_address", "_connections")

    def __init__(self, server: web.Server, connections: Connections, **options: Any) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **options)
        self._connections = connections
        self._address = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._address = str((transport.get_extra_info("peername") or [""])[0])
        if not self._connections.admit(self, self._address):
            self.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connections.leave(self, self._address)
        super().connection_lost(exc)

    def abort(self) -> None:
        """Close the connection without an answer and without flushing."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()
        self.force_close()
