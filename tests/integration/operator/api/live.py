"""The API on a real socket, in a thread of its own: for clients that are not asyncio's."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web
from pydantic import SecretStr

from tests.fakes.kube import FakeKube
from tests.fakes.publisher import RecordingPublisher
from tests.fakes.settings import some_settings
from tests.integration.operator.api.client import ADMIN_KEY
from usher_models.db.engine import Database
from usher_operator.processes.serve import public_api


@contextmanager
def live_api(database_url: str) -> Iterator[str]:
    """The URL of a server on that database, for as long as the context lasts."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    database, runner = asyncio.run_coroutine_threadsafe(_start(database_url), loop).result(10)
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        asyncio.run_coroutine_threadsafe(_stop(database, runner), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _start(database_url: str) -> tuple[Database, web.AppRunner]:
    database = Database.connect(database_url)
    settings = some_settings(admin_api_key=SecretStr(ADMIN_KEY))
    app = public_api(settings, database=database, publisher=RecordingPublisher(), kube=FakeKube())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return database, runner


async def _stop(database: Database, runner: web.AppRunner) -> None:
    await runner.cleanup()
    await database.close()
