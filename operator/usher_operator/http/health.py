"""Whether a process lives, may be sent requests, and what it depends on.

/livez    the event loop turns, and this process's own work goes on; never depends on anybody else
/readyz   may be sent requests: the database answers, and the process is not shutting down
/health   each dependency with its latency; 503 only when the database is away, Redis away is `degraded`
/metrics  for Prometheus
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from redis.exceptions import RedisError

from usher_models.db.engine import Database
from usher_models.errors import DatabaseUnavailable
from usher_operator.lifecycle.commands import RedisPublisher
from usher_operator.telemetry import READY


@dataclass(kw_only=True)
class Health:
    """The health routes of one process. `draining` turns readiness off before the server stops."""

    component: Literal["operate", "serve"]
    database: Database
    publisher: RedisPublisher
    alive: Callable[[], bool] = lambda: True
    clock: Callable[[], float] = time.monotonic
    draining: bool = False

    def add_routes(self, app: web.Application) -> None:
        """Add the four routes."""
        self.add_probes(app)
        self.add_metrics(app)

    def add_probes(self, app: web.Application) -> None:
        """Add the routes that anybody may ask."""
        app.router.add_get("/livez", self.livez)
        app.router.add_get("/readyz", self.readyz)
        app.router.add_get("/health", self.health)

    def add_metrics(self, app: web.Application) -> None:
        """Add the metrics, which tell of every user's bots."""
        app.router.add_get("/metrics", self.metrics)

    async def livez(self, _request: web.Request) -> web.Response:
        """200 while this process does its own work."""
        alive = self.alive()
        return web.json_response({"status": "alive" if alive else "stuck"}, status=200 if alive else 503)

    async def readyz(self, _request: web.Request) -> web.Response:
        """200 while requests can be served."""
        status = await self._readiness()
        ready = status == "ready"
        READY.labels(component=self.component).set(ready)
        return web.json_response({"status": status}, status=200 if ready else 503)

    async def _readiness(self) -> str:
        if self.draining:
            return "draining"
        database = await self._measure(self.database.ping)
        return "ready" if database["status"] == "up" else "database_unavailable"

    async def health(self, _request: web.Request) -> web.Response:
        """Each dependency, with its latency in milliseconds."""
        database = await self._measure(self.database.ping)
        redis = await self._measure(self.publisher.ping) if self.publisher.configured else {"status": "not_configured"}
        serving = database["status"] == "up"
        status = "unavailable" if not serving else "degraded" if redis["status"] == "down" else "ok"
        body = {"status": status, "database": database, "redis": redis}
        return web.json_response(body, status=200 if serving else 503)

    async def metrics(self, _request: web.Request) -> web.Response:
        """Every metric of this process."""
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _measure(self, ping: Callable[[], Awaitable[None]]) -> dict[str, Any]:
        began = self.clock()
        try:
            await ping()
        except (DatabaseUnavailable, RedisError, OSError, TimeoutError) as exc:
            return {"status": "down", "error": type(exc).__name__}
        return {"status": "up", "latency_ms": round((self.clock() - began) * 1000, 2)}
