"""The callback server inside the container, for the program under the exec driver.

It listens on the loopback device only, on a port of its own choosing, and asks for no token: only processes of the pod
can reach it. It answers in the shape of the real one, with the commands that wait for the child. Opened when the
driver joins, closed when it left.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from usher_bot.drivers.exec.answer import answer
from usher_bot.drivers.exec.callbacks import ChildCallbacks
from usher_bot.drivers.exec.config import CALLBACK_PATH
from usher_models.wire import Command

BODY_MAX_BYTES = 4 * 1024 * 1024
_CLOSE_S = 0.5


class LocalServer:
    """Receives the child's callbacks and hands it its commands."""

    def __init__(self, *, meeting_id: int, callbacks: ChildCallbacks) -> None:
        self._meeting_id = meeting_id
        self._callbacks = callbacks
        self._pending: list[Command] = []
        self._handed_over = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self.on_callback: Callable[[int], None] = lambda _port: None
        """Called with the port that each callback comes from."""

    async def open(self) -> str:
        """Listen; the URL of the server."""
        application = web.Application(client_max_size=BODY_MAX_BYTES)
        application.router.add_post(CALLBACK_PATH + "/{name}", self._answer)
        application.router.add_patch(CALLBACK_PATH + "/{name}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=_CLOSE_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def close(self) -> None:
        """Listen no more."""
        if self._runner:
            await self._runner.cleanup()

    async def hand_over(self, command: Command) -> None:
        """Return once a reply carried the command to the child."""
        self._pending.append(command)
        async with self._handed_over:
            await self._handed_over.wait_for(lambda: command not in self._pending)

    async def _answer(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if request.transport is not None:
            self.on_callback(request.transport.get_extra_info("peername")[1])
        self._callbacks.receive(name, _object(await request.read()))
        joined = self._callbacks.joined.is_set()
        body = answer(name, meeting_id=self._meeting_id, joined=joined, commands=list(self._pending))
        await self._empty_pending()
        return web.json_response(body)

    async def _empty_pending(self) -> None:
        self._pending.clear()
        async with self._handed_over:
            self._handed_over.notify_all()


def _object(raw: bytes) -> dict[str, Any]:
    try:
        document = json.loads(raw or b"{}")
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
