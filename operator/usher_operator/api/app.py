"""The public API on port 8080: every route, the OpenAPI document, and the answers to errors."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web
from pydantic import SecretStr

from usher_models.db.engine import Database
from usher_models.db.known_ids import KnownIds
from usher_operator.api.auth import Authentication, UserKeys, admin_key, gateway_secret
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
from usher_operator.api.vexa.absent import Absent
from usher_operator.api.vexa.announcer import Announcer
from usher_operator.api.vexa.gateway import Gateway
from usher_operator.api.vexa.status_feed import StatusFeed
from usher_operator.api.vexa.websocket import Sockets
from usher_operator.http.request_ids import request_ids
from usher_operator.kube.drivers import BROWSER
from usher_operator.lifecycle.commands import Commander


@dataclass(frozen=True, kw_only=True)
class Api:
    """The public API. `namespace` is where BotRequests are created; `legacy_statuses` selects the statuses of Vexa 0.6
    to 0.12; `allowed_private_hosts` are globs of private hosts to which bots may go."""

    database: Database
    commander: Commander
    requests: CreateQueue
    namespace: str
    admin_key: SecretStr
    gateway_secret: SecretStr
    legacy_statuses: bool = False
    allowed_private_hosts: tuple[str, ...] = ()
    default_driver: str = BROWSER
    media_upstream: str = ""
    announcer: Announcer | None = None
    known_ids: KnownIds = field(default_factory=KnownIds)

    def routes(self) -> list[Route]:
        """Every public route."""
        bots = Bots(
            database=self.database,
            commander=self.commander,
            requests=self.requests,
            namespace=self.namespace,
            legacy_statuses=self.legacy_statuses,
            allowed_private_hosts=self.allowed_private_hosts,
            default_driver=self.default_driver,
            known_ids=self.known_ids,
        )
        meetings = Meetings(database=self.database, legacy_statuses=self.legacy_statuses)
        others = [part(database=self.database) for part in (Users, Webhooks, Admin, Gateway)]
        return [route for part in (bots, meetings, *others) for route in part.routes()]

    def application(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application(middlewares=[request_ids, api_errors], client_max_size=BODY_MAX_BYTES)
        app.cleanup_ctx.append(self.requests.working)
        routes, authentication = self.routes(), self._authentication()
        self._follow(app, users=authentication.users)
        for route in routes:
            handler = bind(route, authentication=authentication, legacy_statuses=self.legacy_statuses)
            app.router.add_route(route.method, route.path, handler)
        app.router.add_get("/openapi.json", _json(json.dumps(document(routes))))
        Absent(users=authentication.users, upstream=self.media_upstream).add_routes(app)
        return app

    def _follow(self, app: web.Application, *, users: UserKeys) -> None:
        announce = self.announcer.announce if self.announcer else None
        feed = StatusFeed(self.database, legacy=self.legacy_statuses, announce=announce)
        sockets = Sockets(database=self.database, users=users, feed=feed, legacy=self.legacy_statuses)
        if self.announcer is not None:
            app.cleanup_ctx.append(self.announcer.closing)
        app.cleanup_ctx.append(feed.running)
        app.on_shutdown.append(sockets.close)
        app.router.add_get("/ws", sockets.handle)

    def _authentication(self) -> Authentication:
        return Authentication(
            users=UserKeys(database=self.database),
            admin=admin_key(self.admin_key),
            gateway=gateway_secret(self.gateway_secret),
        )


def _json(text: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=text, content_type="application/json")

    return answer
