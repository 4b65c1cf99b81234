"""What the machine does without Usher: measured beside the figures, in the same minute."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import psycopg
from sqlalchemy import make_url

from tests.load.bench import baseline_server
from tests.load.bench.load import Target, at_once

PORT = 18090


@asynccontextmanager
async def plain_server(database_url: str = "") -> AsyncIterator[Target]:
    """A bare aiohttp server (`baseline_server`) in a process of its own."""
    dsn = (
        make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
        if database_url
        else ""
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.load.bench.baseline_server", str(PORT), dsn
    )
    try:
        await _answers()
        yield Target(host="127.0.0.1", port=PORT)
    finally:
        process.terminate()
        await process.wait()


async def _answers() -> None:
    async with asyncio.timeout(20), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{PORT}/"):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)


async def echo_rate(body: bytes, count: int, *, connections: int) -> float:
    """Requests per second of a bare aiohttp server that parses and answers JSON."""
    async with plain_server() as target:
        payloads = [target.request("POST", "/echo", body)] * count
        await at_once(target, payloads[: count // 10], connections=connections)
        return (await at_once(target, payloads, connections=connections)).rate(200)


async def plain_reserve_rate(database_url: str, count: int, *, connections: int) -> float:
    """Reservations per second of a bare aiohttp server with psycopg."""
    async with plain_server(database_url) as target:
        payloads = [target.request("POST", "/reserve", b"{}")] * count
        await at_once(target, payloads[: count // 10], connections=connections)
        return (await at_once(target, payloads, connections=connections)).rate(201)


async def sql_reserve_rate(database_url: str, count: int, *, connections: int = 4) -> float:
    """Reservations per second through psycopg alone, without HTTP."""
    dsn = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    numbers = iter(range(10_000_000, 10_000_000 + count))

    async def worker() -> None:
        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            for number in numbers:
                await baseline_server.reserve(connection, number)

    began = time.monotonic()
    await asyncio.gather(*(worker() for _ in range(connections)))
    return count / (time.monotonic() - began)
