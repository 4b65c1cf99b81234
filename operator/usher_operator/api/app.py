"""The public API on port 8080: every route, the OpenAPI document, and the answers to errors."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from pydantic import SecretStr

from usher_models.db.engine import Database
from usher_operator.api.auth import AdminKey, UserKeys
from usher_operator.api.create_queue import CreateQueue
from usher_operator.api.errors import api_errors
from usher_operator.api.framework.dispatch import BODY_MAX_BYTES, bind
from usher_operator.api.framework.openapi import document
from usher_operator.api.framework.route import Route
from usher_operator.api.routes.admin import Admin
from usher_operator.api.routes.bots import Bots
from usher_operator.api.routes.meetings import Meetings
from usher_operator.api.routes.users import Users
from usher_operator.api.routes.webhooks import Webhooks
from usher_operator.lifecycle.commands import Commander


@dataclass(frozen=True, kw_only=True)
class Api:
    """The public API. `namespace` is where BotRequests are created; `legacy_statuses` selects the statuses of Vexa 0.6
    to 0.10."""

    database: Database
    commander: Commander
    requests: CreateQueue
    namespace: str
    admin_key: SecretStr
    legacy_statuses: bool = False

    def routes(self) -> list[Route]:
        """Every public route."""
        bots = Bots(database=self.database, commander=self.commander, requests=self.requests, namespace=self.namespace)
        others = [part(database=self.database) for part in (Meetings, Users, Webhooks, Admin)]
        return [*bots.routes(), *(route for part in others for route in part.routes())]

    def application(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application(middlewares=[api_errors], client_max_size=BODY_MAX_BYTES)
        app.cleanup_ctx.append(self.requests.working)
        users, admin, routes = UserKeys(database=self.database), AdminKey(key=self.admin_key), self.routes()
        for route in routes:
            handler = bind(route, users=users, admin=admin, legacy_statuses=self.legacy_statuses)
            app.router.add_route(route.method, route.path, handler)
        app.router.add_get("/openapi.json", _json(json.dumps(document(routes))))
        return app


def _json(text: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=text, content_type="application/json")

    return answer
