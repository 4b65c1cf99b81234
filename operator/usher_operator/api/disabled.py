"""The public API when it is switched off: every path says so, and bots live on as before."""

from aiohttp import web

from usher_models.wire import Problem
from usher_operator.http.errors import respond

OFF = Problem(
    code="api_disabled",
    detail="The REST API is switched off here (USHER_API_ENABLED); BotRequests work as before.",
)


def application() -> web.Application:
    """The aiohttp application; health and metrics are added to it as to the real one."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", _off)
    return app


async def _off(_request: web.Request) -> web.Response:
    return respond(503, OFF)
