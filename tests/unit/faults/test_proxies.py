"""The proxies and the resolver of the fault runs break as they say."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from tests.faults.harness.names import answer
from tests.faults.harness.proxy import HOST, SLOW_S, Proxy, Way

A, AAAA = b"\x00\x01\x00\x01", b"\x00\x1c\x00\x01"
NAME = b"\x08postgres\x05usher\x04test\x00"


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """A proxy before a server that says everything twice."""

    async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(2 * line)
        writer.close()

    server = await asyncio.start_server(twice, HOST, 0)
    async with server, Proxy.before(server.sockets[0].getsockname()[1]) as proxy:
        yield proxy


async def said(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: bytes) -> bytes:
    writer.write(line)
    return await reader.readline() + await reader.readline()


async def test_an_open_proxy_passes_everything_on(proxy: Proxy) -> None:
    reader, writer = await asyncio.open_connection(HOST, proxy.port)
    assert await said(reader, writer, b"a\n") == b"a\na\n"
    writer.close()


async def test_a_slow_proxy_gives_each_answer_late_and_in_order(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.faults.harness.proxy.SLOW_S", 0.3)
    assert SLOW_S == 2.0
    reader, writer = await asyncio.open_connection(HOST, proxy.port)
    await proxy.turn(Way.SLOW)
    began = time.monotonic()
    writer.write(b"a\n")
    await asyncio.sleep(0.1)
    await proxy.turn(Way.OPEN)
    writer.write(b"b\n")
    assert [await reader.readline() for _ in range(4)] == [b"a\n", b"a\n", b"b\n", b"b\n"]
    assert time.monotonic() - began >= 0.3
    writer.close()


async def test_a_connection_that_lost_bytes_is_cut_when_the_proxy_opens_again(proxy: Proxy) -> None:
    reader, writer = await asyncio.open_connection(HOST, proxy.port)
    await proxy.turn(Way.HALF_OPEN)
    writer.write(b"a\n")
    await asyncio.sleep(0.1)
    await proxy.turn(Way.OPEN)
    with suppress(ConnectionError):
        assert await reader.read() == b""
    writer.close()


async def test_a_refusing_proxy_takes_nobody(proxy: Proxy) -> None:
    await proxy.turn(Way.REFUSED)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(HOST, proxy.port)


def test_the_resolver_knows_every_name_as_loopback() -> None:
    header = b"\x12\x34\x01\x00\x00\x01" + bytes(6)
    told = answer(header + NAME + A)
    assert told.startswith(b"\x12\x34\x81\x80\x00\x01\x00\x01" + bytes(4) + NAME + A)
    assert told.endswith(bytes((127, 0, 0, 1)))


def test_the_resolver_has_no_address_of_another_kind() -> None:
    header = b"\x12\x34\x01\x00\x00\x01" + bytes(6)
    assert answer(header + NAME + AAAA) == b"\x12\x34\x81\x80\x00\x01\x00\x00" + bytes(4) + NAME + AAAA
