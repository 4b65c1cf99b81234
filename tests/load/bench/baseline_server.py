"""The least that could answer: an aiohttp server that reads JSON and says something, with or without a reservation.

`python -m tests.load.bench.baseline_server PORT [DSN]`: what the libraries below Usher can do, for a ratio. With a
database each
request is the very statements of a reservation through psycopg alone, for user 1 to 100 in turn.
"""

import asyncio
import itertools
import json
import sys
import uuid
from collections.abc import AsyncIterator
from typing import Any

import psycopg
from aiohttp import web
from psycopg.rows import dict_row
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from usher_models.db import reservations
from usher_models.states import HOLDS_SLOT

CONNECTIONS = 10


class Plain:
    """The handlers; connections live as long as the server."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._free: asyncio.Queue[psycopg.AsyncConnection[Any]] = asyncio.Queue()
        self._numbers = itertools.count(1)

    async def echo(self, request: web.Request) -> web.Response:
        """Parse and answer."""
        body = json.loads(await request.read())
        return web.json_response({"status": "heartbeat processed", "meeting_id": body["seq"], "commands": []})

    async def reserve(self, request: web.Request) -> web.Response:
        """Parse, reserve and answer."""
        await request.read()
        connection = await self._free.get()
        try:
            number = await reserve(connection, next(self._numbers))
        finally:
            self._free.put_nowait(connection)
        return web.json_response({"id": number}, status=201)

    async def connected(self, _: web.Application) -> AsyncIterator[None]:
        """Connections for as long as the server runs."""
        for _number in range(CONNECTIONS if self._dsn else 0):
            self._free.put_nowait(await psycopg.AsyncConnection.connect(self._dsn))
        yield
        while not self._free.empty():
            await self._free.get_nowait().close()


LOCK, RESERVE = (
    str(one.compile(dialect=PGDialect_psycopg())).encode()  # type: ignore[no-untyped-call]
    for one in (reservations.LOCK_USER, reservations._RESERVE)
)


def values_of(number: int) -> dict[str, Any]:
    """What Usher's statements of a reservation are given."""
    return {
        "user_id": 1 + number % 100,
        "connection_id": str(uuid.uuid4()),
        "platform": "zoom",
        "native_id": str(700_000_000 + number),
        "holds": sorted(HOLDS_SLOT),
        "request_namespace": "n",
        "request_name": "meeting-{id}",
        "request_uid": None,
        "request_generation": 0,
        "spec": "{}",
        "config": "{}",
        "stage": "scheduling",
        "lobby_timeout_s": 900,
        "max_duration_s": 14_400,
        "request_ttl_s": None,
        "installation": None,
        "highest_id": 0,
        "source": "api",
        "reason": "requested",
        "message": "Requested.",
        "has_job": False,
    }


async def reserve(connection: psycopg.AsyncConnection[Any], number: int) -> int:
    """One reservation, guarded as Usher's are."""
    values = values_of(number)
    async with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(LOCK, values)
        await cursor.execute(RESERVE, values)
        row = await cursor.fetchone()
    return int(row["meeting_id"]) if row else 0


def main() -> None:
    """Serve for ever."""
    plain = Plain(sys.argv[2] if len(sys.argv) > 2 else "")
    app = web.Application()
    app.router.add_post("/echo", plain.echo)
    app.router.add_post("/reserve", plain.reserve)
    app.cleanup_ctx.append(plain.connected)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)


if __name__ == "__main__":
    main()
