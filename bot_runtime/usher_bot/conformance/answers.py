"""What stands between a bot and its control plane, or speaks in its place."""

from aiohttp import web

_PAGE = "<html><body><h1>{}</h1></body></html>"


def away(_: web.Request) -> web.Response:
    """Usher whose database is away."""
    problem = {"code": "database_unavailable", "detail": "The database cannot be reached.", "terminate": False}
    return web.json_response(problem, status=503, headers={"Retry-After": "1"})


def page(status: int) -> web.Response:
    """An ingress or a service mesh that answers by itself."""
    return web.Response(status=status, text=_PAGE.format(status), content_type="text/html")


def meeting_over(_: web.Request) -> web.Response:
    """Usher, about a meeting that has ended."""
    problem = {"code": "meeting_over", "detail": "The meeting has ended.", "terminate": True}
    return web.json_response(problem, status=410)
