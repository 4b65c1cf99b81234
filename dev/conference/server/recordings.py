"""What a transcriber would be: a WebSocket that takes a bot's sound, and keeps it in a file."""

import re
from pathlib import Path

from aiohttp import WSMsgType, web

NAME = re.compile(r"[A-Za-z0-9-]{1,100}")
LARGEST_SLICE = 16 * 1024 * 1024


def recordings(folder: Path) -> web.Application:
    """The server: `/NAME` becomes NAME.webm, and NAME.events.jsonl beside it."""

    async def take(request: web.Request) -> web.WebSocketResponse:
        name = request.match_info["name"]
        if not NAME.fullmatch(name):
            raise web.HTTPNotFound
        bot = web.WebSocketResponse(max_msg_size=LARGEST_SLICE)
        await bot.prepare(request)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{name}.webm").open("ab") as sound, (folder / f"{name}.events.jsonl").open("a") as events:
            async for message in bot:
                if message.type is WSMsgType.BINARY:
                    sound.write(message.data)
                    sound.flush()
                elif message.type is WSMsgType.TEXT:
                    events.write(f"{message.data}\n")
        return bot

    app = web.Application()
    app.add_routes([web.get("/{name}", take)])
    return app
