"""A WebSocket: slices as binary messages, events as text messages."""

import json
from contextlib import AsyncExitStack
from typing import Any

import aiohttp

CONNECT_S = 10.0


class WebSocketSink:
    """One connection for the length of the recording."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stack = AsyncExitStack()
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def open(self) -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)
        session = await self._stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        self._socket = await self._stack.enter_async_context(session.ws_connect(self._url))

    async def take(self, data: bytes) -> None:
        if self._socket:
            await self._socket.send_bytes(data)

    async def note(self, event: dict[str, Any]) -> None:
        if self._socket:
            await self._socket.send_str(json.dumps(event))

    async def close(self) -> None:
        await self._stack.aclose()
