"""How long the bot's process takes to its first word, and what it weighs, without Kubernetes around it."""

import asyncio
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.load.bench.figures import Figure
from tests.load.bench.harness import Harness, rss_mib


async def run(harness: Harness, load: dict[str, Any]) -> list[Figure]:
    """Seconds from the start of the process to `started`, and resident MiB in the meeting."""
    starts, weights = [], []
    for _ in range(load["repeats"]):
        took, weight = await _one(harness.folder)
        starts.append(took)
        weights.append(weight)
    return [
        Figure(name="bot start", value=statistics.median(starts), unit="s", note=f"the slowest {max(starts):.2f} s"),
        Figure(name="bot memory", value=max(weights), unit="MiB"),
    ]


async def _one(folder: Path) -> tuple[float, float]:
    told: dict[str, asyncio.Event] = {kind: asyncio.Event() for kind in ("started", "joined")}

    async def callback(request: web.Request) -> web.Response:
        if event := told.get(request.match_info["kind"]):
            event.set()
        reply = {"status": "callback processed", "meeting_id": 1, "new_status": "active", "applied": True}
        return web.json_response(reply | {"commands": [], "next_beat_s": 30})

    app = web.Application()
    app.router.add_route("*", "/bots/internal/callback/{kind}", callback)
    async with TestServer(app) as server:
        began = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("usher-bot")), env=_environment(folder, str(server.make_url("")))
        )
        try:
            async with asyncio.timeout(30):
                await told["started"].wait()
                took = time.monotonic() - began
                await told["joined"].wait()
            await asyncio.sleep(1)
            return took, rss_mib(process.pid)
        finally:
            process.kill()
            await process.wait()


def _environment(folder: Path, url: str) -> dict[str, str]:
    token = folder / "token"
    token.write_text("a.b.c")
    own = {
        "USHER_CONNECTION_ID": "bench-1",
        "USHER_MEETING_ID": "1",
        "USHER_CALLBACK_URL": url,
        "USHER_TOKEN_FILE": str(token),
        "USHER_PLATFORM": "zoom",
        "USHER_NATIVE_MEETING_ID": "123456789",
        "USHER_MEETING_URL": "https://zoom.us/j/123456789",
        "USHER_BOT_NAME": "Bench",
        "USHER_DRIVER": "simulated",
        "USHER_LOG_LEVEL": "WARNING",
    }
    return {**os.environ, **own}
