"""Names that can be made to fail: a resolver of the run's own, and processes that ask no other.

glibc asks the servers in /etc/resolv.conf, and there is no variable that names another file. So the processes get a
mount namespace in which that file names our resolver: `unshare --mount`, a bind mount, and then the program takes the
wrapper's place. It needs root, as a bind mount does, and changes nothing for anybody else. The resolver listens on an
address of loopback of its own, on port 53, the only one that the file can mean.

It knows every name, and says 127.0.0.1: a failing one is what is wanted, not a wrong one.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.faults.harness.proxy import SLOW_S, Way

PORT = 53
TTL_S = 1
ANSWERED = bytes((0x81, 0x80))
A_RECORD = (1).to_bytes(2, "big")
LOOPBACK = bytes((127, 0, 0, 1))
HEADER = 12


class Resolver(asyncio.DatagramProtocol):
    """Answers on an address of loopback. Refused is a closed port, half-open a question that gets no answer."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._way = Way.OPEN
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    @asynccontextmanager
    async def at(cls, address: str) -> AsyncIterator["Resolver"]:
        """A resolver for as long as the context lasts."""
        resolver = cls(address)
        await resolver.turn(Way.OPEN)
        try:
            yield resolver
        finally:
            await resolver.turn(Way.REFUSED)

    async def turn(self, way: Way) -> None:
        """Answer, refuse, be silent or be slow from now on."""
        self._way = way
        if way is Way.REFUSED and self._transport is not None:
            self._transport.close()
            self._transport = None
        if way is not Way.REFUSED and self._transport is None:
            loop = asyncio.get_running_loop()
            self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self._address, PORT))

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer a question, or not."""
        if self._way is Way.HALF_OPEN or len(data) <= HEADER:
            return
        delay_s = SLOW_S if self._way is Way.SLOW else 0.0
        asyncio.get_running_loop().call_later(delay_s, self._send, answer(data), addr)

    def _send(self, data: bytes, addr: tuple[str, int]) -> None:
        if self._transport is not None:
            self._transport.sendto(data, addr)


def answer(question: bytes) -> bytes:
    """127.0.0.1 for whoever asks for an IPv4 address, and nothing for who asks for anything else (RFC 1035, 4.1)."""
    ends = question.index(0, HEADER) + 5
    asked = question[HEADER:ends]
    known = asked[-4:-2] == A_RECORD
    counts = (1).to_bytes(2, "big") + int(known).to_bytes(2, "big") + bytes(4)
    record = b"\xc0\x0c" + asked[-4:] + TTL_S.to_bytes(4, "big") + len(LOOPBACK).to_bytes(2, "big") + LOOPBACK
    return question[:2] + ANSWERED + counts + asked + (record if known else b"")


def asking_only(address: str, *, folder: Path) -> tuple[str, ...]:
    """The prefix of a command whose names only that resolver knows."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "resolv.conf"
    path.write_text(f"nameserver {address}\noptions ndots:0 timeout:2 attempts:2\n")
    script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
    return ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, str(path.resolve()))
