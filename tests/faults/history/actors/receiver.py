"""A receiver of webhooks: each delivery is seen before it is answered, and some are refused the first time."""

import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256

import orjson
from aiohttp import web

from tests.faults.history.format import What
from tests.faults.history.recorder import Recorder

HOST = "127.0.0.1"
EVENTS = ("meeting.status_change", "meeting.completed", "bot.failed")
# One in so many is refused once, and has to come again with the same id and the same bytes.
REFUSED_EVERY = 20


class Receiver:
    """Use `receiving`. `heard` are the changes that were announced, by meeting and number."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._refused: set[str] = set()
        self._port = 0
        self.heard: set[tuple[int, int, str]] = set()

    @asynccontextmanager
    async def receiving(self) -> AsyncIterator["Receiver"]:
        """Listen for as long as the context lasts."""
        app = web.Application()
        app.router.add_post("/of/{user}", self._receive)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, 0).start()
            self._port = runner.addresses[0][1]
            yield self
        finally:
            await runner.cleanup()

    def url(self, user: int) -> str:
        """Where a user's webhooks go."""
        return f"http://{HOST}:{self._port}/of/{user}"

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        told = orjson.loads(body)
        event, meeting, change = told["event_id"], told["data"]["meeting"], told["data"]["status_change"]
        code = self._code(event)
        self._recorder.see(
            f"receiver {request.match_info['user']}",
            What.WEBHOOK,
            event=event,
            type=told["event_type"],
            meeting=meeting["id"],
            user=meeting["user_id"],
            platform=meeting["platform"],
            native_id=meeting["native_meeting_id"],
            connection=meeting["connection_id"],
            seq=change["sequence"],
            to=change["to"],
            source=change["transition_source"],
            reason=change["reason"],
            sha256=sha256(body).hexdigest()[:16],
            answered=code,
            **{"from": change["from"]},
        )
        if code == 200:
            self.heard.add((meeting["id"], change["sequence"], told["event_type"]))
        return web.Response(status=code)

    def _code(self, event: str) -> int:
        if event in self._refused or zlib.crc32(event.encode()) % REFUSED_EVERY:
            return 200
        self._refused.add(event)
        return 503
