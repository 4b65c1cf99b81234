"""Routes of Vexa that Usher does not have, because they are about what a bot hears and says.

They answer 501 with a sentence, or are forwarded to the service that has them (USHER_MEDIA_UPSTREAM): a client then
needs one base URL. A forwarded request carries the client's key and, as from a gateway of Vexa, the user's id.
"""

from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web

from usher_models.wire import Problem
from usher_operator.api.auth import USER_HEADER, UserKeys
from usher_operator.http.errors import error_response

ROUTES = (
    "/transcripts{rest:(/.*)?}",
    "/recordings{rest:(/.*)?}",
    "/recording-config",
    "/calendar{rest:(/.*)?}",
    "/agent{rest:(/.*)?}",
    "/mcp{rest:(/.*)?}",
    "/user/{what:calendars?|models|transcription|workspace-git}{rest:(/.*)?}",
    "/bots/{platform}/{native_meeting_id}/{what:speak|chat|screen|avatar|participants}",
    "/meetings/{id:[0-9]+}/transcribe",
    "/meetings/{platform}/{native_meeting_id}/{what:intent|share|workspace}",
)

NOT_HERE = Problem(
    code="not_implemented",
    detail="Usher runs bots at once and does not keep what they hear: transcripts, recordings, chat, speech, calendars"
    " and planned meetings come from other services (USHER_MEDIA_UPSTREAM forwards these routes to them).",
)

# A transcript may take its time; a client that gives up must not hold a connection of ours for ever.
TIMEOUT = aiohttp.ClientTimeout(total=60, connect=5)
HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host", "content-length"}
)
IDENTITY = "x-user-"


@dataclass(frozen=True, kw_only=True)
class Absent:
    """The handler of these routes."""

    users: UserKeys
    upstream: str

    def add_routes(self, app: web.Application) -> None:
        """Add each route, for every method."""
        for path in ROUTES:
            app.router.add_route("*", path, self.handle)
        # Planned meetings: what asks for a bot at once is POST /bots.
        app.router.add_post("/meetings", self.handle)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """501, or what the upstream answers."""
        owner = await self.users.owner(request.headers.get(USER_HEADER), scopes=frozenset({"tx", "bot"}))
        if not self.upstream:
            return error_response(501, NOT_HERE)
        headers = _end_to_end(request.headers) | {"x-user-id": str(owner.user_id)}
        return await _forward(request, f"{self.upstream}{request.rel_url}", headers=headers)


def _end_to_end(headers: Any) -> dict[str, str]:
    """The headers that are forwarded: never what only a gateway may say."""
    return {
        name: value
        for name, value in headers.items()
        if name.lower() not in HOP_BY_HOP and not name.lower().startswith(IDENTITY)
    }


async def _forward(request: web.Request, url: str, *, headers: dict[str, str]) -> web.StreamResponse:
    answer: web.StreamResponse | None = None
    try:
        async with (
            aiohttp.ClientSession(
                timeout=TIMEOUT, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
            ) as session,
            session.request(
                request.method, url, headers=headers, data=await request.read(), allow_redirects=False
            ) as upstream,
        ):
            answer = web.StreamResponse(status=upstream.status, headers=_end_to_end(upstream.headers))
            await answer.prepare(request)
            async for chunk in upstream.content.iter_chunked(64 * 1024):
                await answer.write(chunk)
            await answer.write_eof()
            return answer
    except (aiohttp.ClientError, OSError, TimeoutError):
        if answer is not None:
            raise
        problem = Problem(code="upstream_unavailable", detail="The service behind this route cannot be reached.")
        return error_response(502, problem)
