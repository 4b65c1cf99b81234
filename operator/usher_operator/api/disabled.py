"""The public API while it is disabled: every path answers so, and bots are not affected."""

from aiohttp import web

from usher_models.wire import Problem
from usher_operator.http.errors import error_response

DISABLED = Problem(
    code="api_disabled",
    detail="The REST API is disabled (USHER_API_ENABLED=false); BotRequests work as before.",
)


def application() -> web.Application:
    """The aiohttp application; health and metrics are added to it as to the real one."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", _disabled)
    return app


async def _disabled(_request: web.Request) -> web.Response:
    return error_response(503, DISABLED)
