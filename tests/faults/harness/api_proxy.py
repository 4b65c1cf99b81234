"""A proxy before the API server that understands HTTP: it can fail single writes, and silence single watches.

Usher speaks plain HTTP to it, and it speaks TLS to the API server as the administrator. What a TCP proxy cannot tell
apart is told apart here: a write that was carried out and whose answer was lost, a watch among other requests.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum

import aiohttp
from aiohttp import web
from multidict import CIMultiDictProxy
from yarl import URL

from dev.cluster.settings import Settings
from tests.faults.harness.api import client_context

HOST = "127.0.0.1"
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})
LARGEST_BODY = 64 * 1024 * 1024
# Longer than any client of Usher waits for an answer.
SILENT_S = 40.0


class Failure(StrEnum):
    """How a write fails."""

    UNAVAILABLE = "503, not carried out"
    BROKEN = "500, carried out"
    TIMEOUT = "no answer, not carried out"
    LOST = "no answer, carried out"


@dataclass
class ApiProxy:
    """`failing` is the share of writes that fail, each in a way that the dice choose; `frozen` silences watches."""

    settings: Settings
    dice: random.Random
    failing: float = 0.0
    frozen: bool = False
    port: int = 0
    writes: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    dropped: int = 0
    """Chunks of watches that were dropped."""
    _session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.port}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator["ApiProxy"]:
        """Listen for as long as the context lasts."""
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
        connector = aiohttp.TCPConnector(ssl=client_context(self.settings), limit=0)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as self._session:
            await runner.setup()
            site = web.TCPSite(runner, HOST, 0)
            await site.start()
            self.port = int(runner.addresses[0][1])
            try:
                yield self
            finally:
                await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("watch") in ("true", "1"):
            return await self._watch(request)
        failure = self._failure(request)
        if failure is Failure.UNAVAILABLE:
            return web.json_response({"kind": "Status", "message": "broken on purpose", "code": 503}, status=503)
        if failure is Failure.TIMEOUT:
            return await self._silence(request)
        answer = await self._forward(request)
        if failure is Failure.LOST:
            return await self._silence(request)
        if failure is Failure.BROKEN:
            return web.json_response({"kind": "Status", "message": "broken on purpose", "code": 500}, status=500)
        return answer

    def _failure(self, request: web.Request) -> Failure | None:
        if request.method not in WRITES:
            return None
        self.writes += 1
        if self.dice.random() >= self.failing:
            return None
        failure = self.dice.choice(list(Failure))
        self.failed[failure] += 1
        return failure

    async def _silence(self, request: web.Request) -> web.Response:
        """Say nothing until the client has given up."""
        await asyncio.sleep(SILENT_S)
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=504)

    async def _forward(self, request: web.Request) -> web.Response:
        async with self._request(request, body=await request.read()) as answer:
            return web.Response(status=answer.status, body=await answer.read(), headers=_kept(answer.headers))

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        async with self._request(request, body=b"") as answer:
            response = web.StreamResponse(status=answer.status, headers=_kept(answer.headers))
            await response.prepare(request)
            with suppress(ConnectionError):
                # A watch that was silenced once stays so: it is the connection that is broken.
                silenced = False
                async for chunk in answer.content.iter_any():
                    silenced = silenced or self.frozen
                    if silenced:
                        self.dropped += 1
                    else:
                        await response.write(chunk)
                if silenced:
                    await asyncio.Event().wait()
            return response

    def _request(self, request: web.Request, *, body: bytes) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        assert self._session is not None
        url = URL(f"{self.settings.server}{request.raw_path}", encoded=True)
        timeout = aiohttp.ClientTimeout(total=None)
        return self._session.request(
            request.method, url, data=body or None, headers=_kept(request.headers), timeout=timeout
        )


def _kept(headers: CIMultiDictProxy[str]) -> dict[str, str]:
    return {key: value for key, value in headers.items() if key.lower() not in HOP_BY_HOP}
