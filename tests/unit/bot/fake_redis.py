"""As much of Redis as a subscriber needs: it accepts every handshake, counts subscribers, and publishes."""

import asyncio
from contextlib import suppress


class FakeRedis:
    """One server on the loopback device; `hang_up` ends every connection."""

    def __init__(self) -> None:
        self.subscribed: list[str] = []
        self.connections = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def open(self) -> str:
        """Listen; the URL of the server."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        return f"redis://user:hunter22@127.0.0.1:{port}/0"

    def publish(self, channel: str, data: bytes) -> None:
        """Send a message to all subscribers."""
        for writer in self._writers:
            writer.write(_array(b"message", channel.encode(), data, kind=b">"))

    def hang_up(self) -> None:
        """End every connection."""
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    async def close(self) -> None:
        """Listen no more."""
        self.hang_up()
        if self._server:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self._answer(await _request(reader), writer)
        writer.close()

    def _answer(self, words: list[bytes], writer: asyncio.StreamWriter) -> None:
        if words[0].upper() == b"HELLO":
            writer.write(b"%1\r\n$5\r\nproto\r\n:3\r\n")
        elif words[0].upper() == b"SUBSCRIBE":
            for number, channel in enumerate(words[1:], start=1):
                self.subscribed.append(channel.decode())
                writer.write(b">3\r\n$9\r\nsubscribe\r\n$%d\r\n%b\r\n:%d\r\n" % (len(channel), channel, number))
        else:
            writer.write(b"+OK\r\n")


async def _request(reader: asyncio.StreamReader) -> list[bytes]:
    count = int((await reader.readuntil(b"\r\n"))[1:])
    words = []
    for _ in range(count):
        length = int((await reader.readuntil(b"\r\n"))[1:])
        words.append((await reader.readexactly(length + 2))[:-2])
    return words


def _array(*words: bytes, kind: bytes) -> bytes:
    return kind + b"%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
