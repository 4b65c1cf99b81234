"""Starting and stopping aiohttp servers, the same way for every process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from usher_operator.settings import Settings

KEEPALIVE_S = 75


@asynccontextmanager
async def listening(app: web.Application, port: int, *, settings: Settings) -> AsyncIterator[int]:
    """Serve `app` for as long as the context lasts; yields the port. Requests in flight are finished on the way out."""
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        keepalive_timeout=KEEPALIVE_S,
        shutdown_timeout=settings.shutdown_timeout_s,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.bind_host, port, reuse_address=True)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
