"""A control plane for one bot: it takes the callbacks, writes each down, and answers as Usher would, or as told."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from usher_models.states import Status
from usher_models.wire import BODY_MAX_BYTES, Command

KINDS = ("started", "joined", "heartbeat", "status", "exited")
WORDS = {"heartbeat": "heartbeat processed", "status": "status update processed"}


@dataclass(frozen=True, kw_only=True)
class Call:
    """One callback of the bot, taken `at` seconds on the monotonic clock."""

    at: float
    kind: str
    body: dict[str, Any]
    token: str


Answer = Callable[[web.Request], web.Response]


class ControlPlane:
    """Listens on a port of this machine's own loopback, in an `async with`."""

    def __init__(self, *, meeting_id: int, next_beat_s: float) -> None:
        self.calls: list[Call] = []
        self.commands: list[Command] = []
        self.answer: Answer | None = None
        """What everything is answered instead of Usher's reply."""
        self._meeting_id = meeting_id
        self._next_beat_s = next_beat_s
        self._status = Status.RESERVED
        self._changed = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=BODY_MAX_BYTES)
        app.router.add_route("*", "/bots/internal/callback/{kind}", self._take)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def of(self, *kinds: str) -> list[Call]:
        """The calls of some kinds, in their order."""
        return [call for call in self.calls if call.kind in kinds]

    async def until(self, done: Callable[[], bool], *, within_s: float) -> bool:
        """Wait until a call made `done` true; False when the time is up."""
        try:
            async with asyncio.timeout(within_s), self._changed:
                await self._changed.wait_for(done)
        except TimeoutError:
            return False
        return True

    async def _take(self, request: web.Request) -> web.Response:
        kind = request.match_info["kind"]
        call = Call(
            at=time.monotonic(),
            kind=kind,
            body=_parsed(await request.read()),
            token=request.headers.get("Authorization", "").removeprefix("Bearer "),
        )
        self.calls.append(call)
        async with self._changed:
            self._changed.notify_all()
        if self.answer is not None:
            return self.answer(request)
        return self._reply(call) if kind in KINDS else web.Response(status=404)

    def _reply(self, call: Call) -> web.Response:
        self._status = _next_status(self._status, call)
        return web.json_response(
            {
                "status": WORDS.get(call.kind, "callback processed"),
                "meeting_id": self._meeting_id,
                "new_status": self._status,
                "applied": True,
                "commands": [command.model_dump(exclude_none=True) for command in self.commands],
                "next_beat_s": self._next_beat_s,
            }
        )


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _next_status(status: Status, call: Call) -> Status:
    reached = {"started": Status.STARTING, "joined": Status.ACTIVE}.get(call.kind)
    if call.kind == "exited":
        return Status.FAILED if call.body.get("exit_code") else Status.COMPLETED
    if call.kind == "status" and call.body.get("status") == Status.STOPPING:
        return Status.STOPPING
    return reached or status
