"""Start and stop aiohttp servers, the same way for every process."""

import asyncio
import errno
import logging
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from aiohttp import web

from usher_operator.http.connection_limit import Connection, Connections
from usher_operator.settings import Settings

logger = logging.getLogger(__name__)

# A connection without a finished request is closed after this long, even if bytes keep arriving.
KEEPALIVE_S = 75
BACKLOG = 1024
# File descriptors kept for the database, Redis, the API server and logs.
OWN_FILES = 256


async def whole_body(request: web.Request, *, within_s: float) -> bytes:
    """The body of a request. Raises TimeoutError if it takes longer than `within_s`."""
    # Most bodies arrive with the head, and an unused timeout costs more than reading them.
    if request.content.is_eof():
        return await request.read()
    async with asyncio.timeout(within_s):
        return await request.read()


@asynccontextmanager
async def listening(app: web.Application, port: int, *, settings: Settings) -> AsyncIterator[int]:
    """Serve `app` while the context lasts; yields the port. Requests in flight are finished at its end."""
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=settings.shutdown_timeout_s)
    await runner.setup()
    assert runner.server is not None  # noqa: S101 - it was set up
    accept = partial(
        Connection,
        runner.server,
        Connections(_limit(settings.max_connections)),
        access_log=None,
        keepalive_timeout=KEEPALIVE_S,
        # A compressed body could expand far beyond its size limit, and no client needs one.
        auto_decompress=False,
    )
    try:
        sockets = _bound(settings.bind_host, port)
        loop = asyncio.get_running_loop()
        listeners = [await loop.create_server(accept, sock=each, backlog=BACKLOG) for each in sockets]
        try:
            yield int(sockets[0].getsockname()[1])
        finally:
            for listener in listeners:
                listener.close()
    finally:
        await runner.cleanup()


def _bound(host: str, port: int) -> list[socket.socket]:
    """Sockets on every address of `host`; without a host on all of IPv4 and of IPv6, as far as the system has them.

    Raises OSError if there is none.
    """
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    bound: list[socket.socket] = []
    failures: list[OSError] = []
    for family, _, _, _, address in sorted(found):
        chosen = port or (bound[0].getsockname()[1] if bound else 0)
        try:
            bound.append(socket.create_server((address[0], chosen), family=family, backlog=BACKLOG))
        except OSError as exc:
            failures.append(exc)
    if not bound or (host and failures) or any(exc.errno == errno.EADDRINUSE for exc in failures):
        for each in bound:
            each.close()
        raise failures[0]
    return bound


def _limit(wanted: int) -> int:
    """`wanted` connections, or fewer if the system grants fewer open files."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    limit = hard - OWN_FILES if hard != resource.RLIM_INFINITY else wanted
    if limit < wanted:
        logger.warning(
            "The system grants %d open files; at most %d connections are accepted.",
            hard,
            max(1, limit),
            extra={"action": "few_files"},
        )
    return max(1, min(wanted, limit))
