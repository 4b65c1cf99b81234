"""The health of a process and of what it depends on.

/livez    200 while the event loop runs and this process's own work goes on; depends on nothing else
/readyz   200 while requests can be served: the database answers, accepts writes and has the schema of this version,
          what the process fetches at its start is there, and it is not shutting down; `standby` for an operate that is
          ready to take over from the one that leads
/health   each dependency with its latency; 503 only if the database is away, `degraded` if Redis is
/metrics  for Prometheus
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from usher_models.db.checks import require_ready
from usher_models.db.engine import Database
from usher_models.errors import DatabaseUnavailable, RedisUnavailable
from usher_operator.http.outage_log import outage_log
from usher_operator.lifecycle.commands import RedisPublisher
from usher_operator.telemetry import READY

READY_STATUS = "ready"
STANDBY_STATUS = "standby"


@dataclass(kw_only=True)
class Health:
    """The health routes of one process. `draining` turns readiness off before the server stops.

    `waits_for` names what the process still waits for at its start; None when it can serve. `stands_by`: True while it
    is ready and another process does the work.
    """

    component: Literal["operate", "serve"]
    database: Database
    publisher: RedisPublisher
    alive: Callable[[], bool] = lambda: True
    waits_for: Callable[[], str | None] = lambda: None
    stands_by: Callable[[], bool] = lambda: False
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
        ready = status in (READY_STATUS, STANDBY_STATUS)
        READY.labels(component=self.component).set(ready)
        return web.json_response({"status": status}, status=200 if ready else 503)

    async def _readiness(self) -> str:
        if self.draining:
            return "draining"
        if (missing := self.waits_for()) is not None:
            return missing
        database = await self._measure(self._database_ready)
        if database["status"] != "up":
            return "database_unavailable"
        return STANDBY_STATUS if self.stands_by() else READY_STATUS

    async def health(self, _request: web.Request) -> web.Response:
        """Each dependency, with its latency in milliseconds."""
        database = await self._measure(self._database_ready)
        redis = await self._measure(self.publisher.ping) if self.publisher.configured else {"status": "not_configured"}
        serving = database["status"] == "up"
        status = "unavailable" if not serving else "degraded" if redis["status"] == "down" else "ok"
        body = {"status": status, "database": database, "redis": redis}
        return web.json_response(body, status=200 if serving else 503)

    async def metrics(self, _request: web.Request) -> web.Response:
        """Every metric of this process."""
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _database_ready(self) -> None:
        await require_ready(self.database)

    async def _measure(self, ping: Callable[[], Awaitable[None]]) -> dict[str, Any]:
        began = self.clock()
        try:
            await ping()
        except (DatabaseUnavailable, RedisUnavailable) as exc:
            outage_log.note(exc)
            return {"status": "down", "error": type(exc).__name__}
        return {"status": "up", "latency_ms": round((self.clock() - began) * 1000, 2)}
