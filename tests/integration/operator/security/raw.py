"""Clients that do not play by the rules: bytes on a socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Raw:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def ended(self) -> bool:
        """Whether the other side has closed it: with a word, or with a reset when something was still on its way."""
        return self.reader.at_eof() or self.reader.exception() is not None

    async def say(self, text: str | bytes) -> "Raw":
        """Send those bytes."""
        self.writer.write(text.encode() if isinstance(text, str) else text)
        with suppress(ConnectionError):
            await self.writer.drain()
        return self

    async def answer(self, *, within: float = 5) -> str:
        """The head of the next answer; empty when the server hung up."""
        async with asyncio.timeout(within):
            try:
                return (await self.reader.readuntil(b"\r\n\r\n")).decode()
            except (asyncio.IncompleteReadError, ConnectionError):
                return ""

    async def status(self, *, within: float = 5) -> int:
        """The status of the next answer; 0 when the server hung up."""
        head = await self.answer(within=within)
        return int(head.split()[1]) if head else 0


@asynccontextmanager
async def dialled(port: int, *, count: int = 1, source: str = HOST) -> AsyncIterator[list[Raw]]:
    """So many connections at once."""
    made = [Raw(*await asyncio.open_connection(HOST, port, local_addr=(source, 0))) for _ in range(count)]
    try:
        yield made
    finally:
        for raw in made:
            raw.writer.transport.abort()
        for raw in made:
            with suppress(ConnectionError):
                await raw.writer.wait_closed()
