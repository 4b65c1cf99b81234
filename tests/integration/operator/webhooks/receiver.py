"""A receiver of webhooks on 127.0.0.1: remembers what it got, and answers as it is told."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request."""

    headers: dict[str, str]
    body: str

    @property
    def event(self) -> Any:
        return json.loads(self.body)


def take(_received: Received) -> web.Response:
    """The answer of a receiver that works."""
    return web.Response(text="thanks")


@dataclass
class Receiver:
    """Use it as a context; `url` is where it listens."""

    answer: Callable[[Received], web.StreamResponse] = take
    got: list[Received] = field(default_factory=list)
    taken: list[Received] = field(default_factory=list)

    async def __aenter__(self) -> "Receiver":
        app = web.Application()
        app.router.add_post("/hook", self._hook)
        self._server = TestServer(app, host="127.0.0.1")
        await self._server.start_server()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._server.close()

    @property
    def url(self) -> str:
        return str(self._server.make_url("/hook"))

    async def _hook(self, request: web.Request) -> web.StreamResponse:
        received = Received(headers=dict(request.headers), body=await request.text())
        self.got.append(received)
        response = self.answer(received)
        if response.status < 300:
            self.taken.append(received)
        return response
