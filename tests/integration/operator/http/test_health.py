"""Whether a process lives and may be sent requests, with each of its dependencies up and down."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from usher_models.db.engine import Database
from usher_operator.http.health import Health
from usher_operator.lifecycle.commands import RedisPublisher

Client = TestClient[web.Request, web.Application]

REDIS_AWAY = "redis://127.0.0.1:1/0"


@asynccontextmanager
async def serving(database: Database, redis_url: str = "", **fields: Any) -> AsyncIterator[tuple[Health, Client]]:
    publisher = RedisPublisher.connect(redis_url)
    health = Health(component="serve", database=database, publisher=publisher, **fields)
    app = web.Application()
    health.add_routes(app)
    async with TestClient(TestServer(app)) as client:
        yield health, client
    await publisher.close()


async def asked(client: Client, path: str) -> tuple[int, dict[str, Any]]:
    async with client.get(path) as response:
        return response.status, await response.json()


async def test_with_everything_up_it_is_ok_and_says_how_fast(database: Database, redis_url: str) -> None:
    async with serving(database, redis_url) as (_, client):
        code, body = await asked(client, "/health")
    assert (code, body["status"]) == (200, "ok")
    assert {name: body[name]["status"] for name in ("database", "redis")} == {"database": "up", "redis": "up"}
    assert body["database"]["latency_ms"] >= 0
    assert body["redis"]["latency_ms"] >= 0


async def test_with_redis_away_it_is_degraded_and_goes_on(database: Database) -> None:
    async with serving(database, REDIS_AWAY) as (_, client):
        code, body = await asked(client, "/health")
        assert (code, body["status"], body["redis"]["status"]) == (200, "degraded", "down")
        assert body["redis"]["error"]
        assert await asked(client, "/readyz") == (200, {"status": "ready"})


async def test_without_a_redis_it_is_ok(database: Database) -> None:
    async with serving(database) as (_, client):
        code, body = await asked(client, "/health")
    assert (code, body["status"], body["redis"]) == (200, "ok", {"status": "not_configured"})


async def test_with_the_database_away_it_is_unavailable(no_database: Database, redis_url: str) -> None:
    async with serving(no_database, redis_url) as (_, client):
        code, body = await asked(client, "/health")
        assert (code, body["status"]) == (503, "unavailable")
        assert body["database"] == {"status": "down", "error": "DatabaseUnavailable"}
        assert body["redis"]["status"] == "up"
        assert await asked(client, "/readyz") == (503, {"status": "database_unavailable"})


async def test_liveness_depends_on_nobody_else(no_database: Database) -> None:
    async with serving(no_database, REDIS_AWAY) as (_, client):
        assert await asked(client, "/livez") == (200, {"status": "alive"})


async def test_a_process_whose_own_work_stands_still_is_stuck(database: Database) -> None:
    async with serving(database, alive=lambda: False) as (_, client):
        assert await asked(client, "/livez") == (503, {"status": "stuck"})
        assert (await asked(client, "/readyz"))[0] == 200


async def test_a_process_that_drains_is_not_ready_and_still_alive(database: Database) -> None:
    async with serving(database) as (health, client):
        assert await asked(client, "/readyz") == (200, {"status": "ready"})
        health.draining = True
        assert await asked(client, "/readyz") == (503, {"status": "draining"})
        assert (await asked(client, "/livez"))[0] == 200
        assert (await asked(client, "/health"))[0] == 200


async def test_a_process_that_stands_by_is_ready_and_says_so(database: Database) -> None:
    leads = False
    async with serving(database, stands_by=lambda: not leads) as (_, client):
        assert await asked(client, "/readyz") == (200, {"status": "standby"})
        assert (await asked(client, "/livez"))[0] == 200
        leads = True
        assert await asked(client, "/readyz") == (200, {"status": "ready"})


async def test_a_standby_that_could_not_take_over_is_not_ready(no_database: Database) -> None:
    async with serving(no_database, stands_by=lambda: True) as (_, client):
        assert await asked(client, "/readyz") == (503, {"status": "database_unavailable"})


async def test_no_answer_shows_where_the_database_is(no_database: Database) -> None:
    async with serving(no_database) as (_, client):
        for path in ("/health", "/readyz", "/livez"):
            assert "127.0.0.1" not in str(await asked(client, path))


async def test_metrics_are_what_prometheus_reads(database: Database) -> None:
    async with serving(database) as (_, client), client.get("/metrics") as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=")
        text = await response.text()
    for name in ("usher_callbacks_total", "usher_transitions_total", "usher_sweeps_total", "usher_live_bots"):
        assert f"# TYPE {name}" in text or f"# TYPE {name.removesuffix('_total')}" in text


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health", "/metrics"])
async def test_the_routes_are_for_reading_only(database: Database, path: str) -> None:
    async with serving(database) as (_, client), client.post(path) as response:
        assert response.status == 405


async def test_metrics_are_not_on_the_public_port(database: Database) -> None:
    health = Health(component="serve", database=database, publisher=RedisPublisher.connect(""))
    public, own = web.Application(), web.Application()
    health.add_probes(public)
    health.add_metrics(own)
    async with TestClient(TestServer(public)) as outside, TestClient(TestServer(own)) as prometheus:
        assert ((await outside.get("/metrics")).status, (await outside.get("/readyz")).status) == (404, 200)
        assert (await prometheus.get("/metrics")).status == 200
