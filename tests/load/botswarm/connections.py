"""The least HTTP/1.1 that speaks to `serve`: a pool of keep-alive connections, one request at a time on each.

A general client costs four times as much per request, and the load generator shares its cores with what it measures.
Requests are bytes, ready to send; answers are a status, a Retry-After and a body.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

# How often requests are looked through for those whose time is over.
LOOK_EVERY_S = 0.25
CONNECT_S = 10.0
_END = b"\r\n\r\n"


@dataclass(slots=True)
class Response:
    """An answer of the server."""

    status: int
    body: bytes
    retry_after_s: float = 0.0


Done = Callable[[Response | None], None]


@dataclass(slots=True)
class Exchange:
    """One request on its way. `done` is called once: with the answer, or with None for none by `deadline`."""

    payload: bytes
    deadline: float
    done: Done


class _Connection(asyncio.Protocol):
    def __init__(self, pool: "Pool") -> None:
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self.exchange: Exchange | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send(self, exchange: Exchange) -> None:
        assert self._transport is not None
        self.exchange = exchange
        self._transport.write(exchange.payload)

    def data_received(self, data: bytes) -> None:
        self._received = self._received + data if self._received else data
        head_ends = self._received.find(_END)
        if head_ends < 0:
            return
        head = self._received[:head_ends].lower()
        if _header(head, b"transfer-encoding") == b"chunked":
            # One request at a time: what ends with the last chunk is the whole answer.
            if not self._received.endswith(b"0\r\n\r\n"):
                return
            ends = len(self._received)
        else:
            ends = head_ends + 4 + int(_header(head, b"content-length") or 0)
        if len(self._received) < ends:
            return
        status, body = int(head[9:12]), self._received[head_ends + 4 : ends]
        retry_after = _header(head, b"retry-after")
        self._received = self._received[ends:]
        exchange, self.exchange = self.exchange, None
        closing = _header(head, b"connection") == b"close"
        if closing or self._pool.fresh:
            self.close()
        else:
            self._pool.idle(self)
        if exchange is not None:
            exchange.done(Response(status, body, float(retry_after) if retry_after else 0.0))

    def connection_lost(self, exc: Exception | None) -> None:
        exchange, self.exchange = self.exchange, None
        self._pool.gone(self)
        if exchange is not None:
            exchange.done(None)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _header(head: bytes, name: bytes) -> bytes | None:
    at = head.find(b"\r\n" + name + b":")
    if at < 0:
        return None
    begins = at + len(name) + 3
    ends = head.find(b"\r\n", begins)
    return head[begins : ends if ends >= 0 else len(head)].strip()


class Pool:
    """At most `size` connections to one server; `fresh` opens a new one for each request, as a seldom speaker does."""

    def __init__(
        self, *, host: str, port: int, size: int, fresh: bool = False, tls: ssl.SSLContext | None = None
    ) -> None:
        self.host, self.port, self.fresh, self._tls = host, port, fresh, tls
        self._size = size
        self._idle: dict[_Connection, None] = {}
        self._open: set[_Connection] = set()
        self._connecting = 0
        self._waiting: deque[Exchange] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def request(self, exchange: Exchange) -> None:
        """Send a request as soon as a connection is free."""
        if self._idle:
            self._idle.popitem()[0].send(exchange)
            return
        self._waiting.append(exchange)
        self._connect_more()

    async def look_for_the_late(self) -> None:
        """End requests whose time is over, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            now = loop.time()
            for connection in [one for one in self._open if one.exchange and one.exchange.deadline <= now]:
                connection.close()
            late = [exchange for exchange in self._waiting if exchange.deadline <= now]
            if late:
                self._waiting = deque(exchange for exchange in self._waiting if exchange.deadline > now)
            for exchange in late:
                exchange.done(None)

    def idle(self, connection: _Connection) -> None:
        """A connection has nothing to do."""
        if self._waiting:
            connection.send(self._waiting.popleft())
        else:
            self._idle[connection] = None

    def gone(self, connection: _Connection) -> None:
        """A connection is closed."""
        self._open.discard(connection)
        self._idle.pop(connection, None)
        if self._waiting and not self._closed:
            self.request(self._waiting.popleft())

    def move_to(self, host: str, port: int) -> None:
        """Speak to another server from the next connection on."""
        self.host, self.port = host, port

    async def close(self) -> None:
        """Close every connection; what is on its way gets no answer."""
        self._closed = True
        for task in list(self._tasks):
            task.cancel()
        for connection in list(self._open):
            connection.close()
        await asyncio.sleep(0)

    def _connect_more(self) -> None:
        if self._waiting and len(self._open) + self._connecting < self._size and not self._closed:
            self._connecting += 1
            task = asyncio.get_running_loop().create_task(self._connect())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(CONNECT_S):
                loop = asyncio.get_running_loop()
                _, connection = await loop.create_connection(
                    lambda: _Connection(self), self.host, self.port, ssl=self._tls
                )
        except (OSError, TimeoutError):
            self._connecting -= 1
            # Whoever waits longest learns it; the next one tries anew.
            if self._waiting:
                self._waiting.popleft().done(None)
            self._connect_more()
            return
        self._connecting -= 1
        self._open.add(connection)
        self.idle(connection)
