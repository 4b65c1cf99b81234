"""The public API of port 8080: every route, the document about them, and how each error is answered."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from pydantic import SecretStr

from usher_models.db.engine import Database
from usher_operator.api.auth import AdminKey, UserKeys
from usher_operator.api.create_queue import CreateQueue
from usher_operator.api.docs import page
from usher_operator.api.errors import refusals
from usher_operator.api.framework.openapi import document
from usher_operator.api.framework.route import BODY_MAX_BYTES, Route, bind
from usher_operator.api.routes.admin import Admin
from usher_operator.api.routes.bots import Bots
from usher_operator.api.routes.meetings import Meetings
from usher_operator.api.routes.users import Users
from usher_operator.api.routes.webhooks import Webhooks
from usher_operator.lifecycle.commands import Commander


@dataclass(frozen=True, kw_only=True)
class Api:
    """What the public API works with. `namespace` is where BotRequests are created; `legacy_statuses` says statuses as
    Vexa 0.6 to 0.10 did; `allowed_private_hosts` are globs of private hosts to which bots may go."""

    database: Database
    commander: Commander
    requests: CreateQueue
    namespace: str
    admin_key: SecretStr
    legacy_statuses: bool = False
    allowed_private_hosts: tuple[str, ...] = ()

    def routes(self) -> list[Route]:
        """Every route that clients may know of."""
        bots = Bots(
            database=self.database,
            commander=self.commander,
            requests=self.requests,
            namespace=self.namespace,
            allowed_private_hosts=self.allowed_private_hosts,
        )
        others = [part(database=self.database) for part in (Meetings, Users, Webhooks, Admin)]
        return [*bots.routes(), *(route for part in others for route in part.routes())]

    def application(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application(middlewares=[refusals], client_max_size=BODY_MAX_BYTES)
        app.cleanup_ctx.append(self.requests.working)
        users, admin, routes = UserKeys(database=self.database), AdminKey(key=self.admin_key), self.routes()
        for route in routes:
            handler = bind(route, users=users, admin=admin, legacy_statuses=self.legacy_statuses)
            app.router.add_route(route.method, route.path, handler)
        described = document(routes)
        app.router.add_get("/openapi.json", _constant(json.dumps(described), "application/json"))
        app.router.add_get("/docs", _constant(page(described), "text/html"))
        return app


def _constant(text: str, content_type: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=text, content_type=content_type)

    return answer
