"""The pages, as routes: our own, Jitsi's, and the stand-ins for platforms that cannot be had here."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

JITSI_FOLDERS = {"static": "dist", "lang": "lang", "sounds": "sounds", "images": "images"}
STAND_INS = {"google.com": "meet", "teams.live.com": "teams", "teams.microsoft.com": "teams", "zoom.us": "zoom"}
SIGN_IN_HOSTS = ("accounts.google.com", "login.microsoftonline.com")
SIGN_IN = "<!doctype html><title>Sign in</title><h1>Sign in</h1><p>Enter your account</p>"


def meeting_pages(folder: Path) -> list[web.AbstractRouteDef]:
    """Our own page, under /m/ROOM."""
    return [web.static("/static", folder / "dist"), web.get("/m/{room}", _page(folder / "index.html"))]


def jitsi_pages(folder: Path) -> list[web.AbstractRouteDef]:
    """Jitsi's pages: every path that is no file is a room."""
    files = [web.static(f"/{name}", folder / inner) for name, inner in JITSI_FOLDERS.items()]
    return [*files, web.get("/{room}", _page(folder / "index.html"))]


def stand_in_pages(folder: Path) -> list[web.AbstractRouteDef]:
    """The platforms' own host names and paths: a test's browser is told that they are here."""
    page = (folder / "index.html").read_text()

    async def serve(request: web.Request) -> web.Response:
        host = (request.host or "").partition(":")[0]
        if host in SIGN_IN_HOSTS or request.path.startswith("/recaptcha/"):
            return web.Response(text=SIGN_IN, content_type="text/html")
        name = next((name for suffix, name in STAND_INS.items() if host.endswith(suffix)), None)
        if name is None:
            raise web.HTTPNotFound
        return web.Response(text=page.replace("PLATFORM", name), content_type="text/html")

    return [web.static("/static", folder / "dist"), web.get("/{path:.*}", serve)]


def _page(path: Path) -> Callable[[web.Request], Awaitable[web.FileResponse]]:
    async def serve(_request: web.Request) -> web.FileResponse:
        return web.FileResponse(path)

    return serve
