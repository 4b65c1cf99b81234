"""A TCP proxy that breaks as networks do: it refuses, goes half-open or slow, and is well again when told to.

One proxy stands before one server. Half-open means that connections are accepted and bytes are read and dropped: what a
client sees when a host vanishes without a word. Connections that lost bytes are cut when the proxy opens again. Slow
means that every answer comes two seconds late; none is lost.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import Self

CHUNK = 65536
HOST = "127.0.0.1"
SLOW_S = 2.0
TICK_S = 1e-4
# Below the ports that clients get. Who knocks again and again at a closed port of that range meets himself one day: TCP
# lets him connect to the port he came from, and nobody can listen there any more.
PORTS = range(20_000, 24_000)


class Way(StrEnum):
    """How the proxy treats what comes."""

    OPEN = "open"
    REFUSED = "refused"
    HALF_OPEN = "half-open"
    SLOW = "slow"


class Proxy:
    """Listens on `port` of loopback for as long as the context of `before` lasts."""

    def __init__(self, port: int) -> None:
        self.way = Way.OPEN
        self.port = 0
        self._to = port
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def before(cls, port: int) -> AsyncIterator[Self]:
        """A proxy before that port of loopback."""
        proxy = cls(port)
        await proxy.turn(Way.OPEN)
        try:
            yield proxy
        finally:
            await proxy.turn(Way.REFUSED)

    async def turn(self, way: Way) -> None:
        """Be open, refusing, half-open or slow from now on."""
        tainted = self.way is Way.HALF_OPEN
        self.way = way
        if way is Way.REFUSED or tainted:
            await self.cut()
        if way is Way.REFUSED and self._server is not None:
            self._server.close()
            self._server = None
        if way is not Way.REFUSED and self._server is None:
            self._server = await self._listen()
            self.port = int(self._server.sockets[0].getsockname()[1])

    async def lead_to(self, port: int) -> None:
        """Stand before another server from now on, as an address does after a failover."""
        self._to = port
        await self.cut()

    async def _listen(self) -> asyncio.Server:
        if self.port:
            return await asyncio.start_server(self._accept, HOST, self.port, backlog=1024)
        first = os.getpid() * 50 % len(PORTS)
        for port in (*PORTS[first:], *PORTS[:first]):
            with suppress(OSError):
                return await asyncio.start_server(self._accept, HOST, port, backlog=1024)
        raise AssertionError("No port is free for a proxy.")

    async def cut(self) -> None:
        """Cut every connection there is."""
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        try:
            await self._link(reader, writer)
        except OSError:
            pass
        except asyncio.CancelledError:
            # The proxy cuts its links: nobody waits for this task to have been cancelled.
            pass
        finally:
            self._links.discard(task)
            writer.transport.abort()

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while self.way is Way.HALF_OPEN:
            if not await reader.read(CHUNK):
                return
        onward, back = await asyncio.open_connection(HOST, self._to)
        try:
            pumps = [
                asyncio.create_task(self._pump(reader, back)),
                asyncio.create_task(self._pump(onward, writer, answers=True)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            back.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool = False) -> None:
        loop = asyncio.get_running_loop()
        last_due = 0.0
        with suppress(OSError):
            while data := await source.read(CHUNK):
                if self.way is Way.HALF_OPEN:
                    continue
                # What is late keeps its order, also when the proxy is quick again.
                due = loop.time() + SLOW_S if answers and self.way is Way.SLOW else last_due + TICK_S
                if due > loop.time():
                    last_due = max(due, last_due + TICK_S)
                    loop.call_at(last_due, _write, sink, data)
                else:
                    sink.write(data)
                    await sink.drain()
            await asyncio.sleep(max(0.0, last_due + TICK_S - loop.time()))


def _write(sink: asyncio.StreamWriter, data: bytes) -> None:
    """Write what is due, unless its connection was cut meanwhile."""
    if not sink.transport.is_closing():
        sink.write(data)
