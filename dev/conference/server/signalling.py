"""The way to LiveKit: its signalling passes through this server, so that TLS and one origin serve for all of it."""

import asyncio

import aiohttp
from aiohttp import web

LARGEST_MESSAGE = 4 * 1024 * 1024


class Signalling:
    """Passes WebSockets and plain requests on."""

    def __init__(self, url: str, *, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Pass one request on, whatever it is."""
        target = f"{self._url}{request.raw_path}"
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._join_sockets(request, target)
        headers = {"Authorization": request.headers.get("Authorization", "")}
        async with self._session.request(request.method, target, headers=headers) as answer:
            return web.Response(status=answer.status, body=await answer.read(), content_type=answer.content_type)

    async def _join_sockets(self, request: web.Request, target: str) -> web.StreamResponse:
        page = web.WebSocketResponse(max_msg_size=LARGEST_MESSAGE)
        await page.prepare(request)
        async with self._session.ws_connect(target, max_msg_size=LARGEST_MESSAGE) as livekit:
            ways = [asyncio.create_task(_pump(page, livekit)), asyncio.create_task(_pump(livekit, page))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
        await page.close()
        return page


Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


async def _pump(source: Socket, sink: Socket) -> None:
    async for message in source:
        if message.type is aiohttp.WSMsgType.BINARY:
            await sink.send_bytes(message.data)
        elif message.type is aiohttp.WSMsgType.TEXT:
            await sink.send_str(message.data)
