"""What the adapter reads beside lists, and what it makes of refusals: a log, a document, an Event that is not taken."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from kubernetes.aio import client

from usher_models.errors import KubernetesUnavailable
from usher_operator.kube.adapter import KubeAdapter


@asynccontextmanager
async def answered(body: str, *, status: int = 200) -> AsyncIterator[tuple[KubeAdapter, list[str]]]:
    """An API server that answers everything so, and what it was asked."""
    asked: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        asked.append(f"{request.method} {request.path_qs}")
        return web.Response(text=body, status=status, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        configuration = client.Configuration(host=f"http://127.0.0.1:{runner.addresses[0][1]}")
        async with client.ApiClient(configuration) as api:
            yield KubeAdapter(api), asked
    finally:
        await runner.cleanup()


async def test_the_end_of_a_pods_log_is_read_as_text() -> None:
    async with answered("one\ntwo \u2192 three") as (adapter, asked):
        assert await adapter.pod_log("bots", "bot-1-x") == "one\ntwo \u2192 three"
    assert asked[0].startswith("GET /api/v1/namespaces/bots/pods/bot-1-x/log?container=bot&tailLines=")


async def test_the_log_of_any_container_before_its_restart_is_read() -> None:
    async with answered("gone") as (adapter, asked):
        log = await adapter.pod_log("bots", "bot-1-x", container="proxy", lines=2, limit_bytes=64, previous=True)
    assert log == "gone"
    assert asked == [
        "GET /api/v1/namespaces/bots/pods/bot-1-x/log?container=proxy&tailLines=2&limitBytes=64&previous=true"
    ]


async def test_an_event_is_read_with_its_time_and_its_count() -> None:
    event = (
        '{"type": "Warning", "reason": "BackOff", "message": "m", "count": 3, "lastTimestamp": "2026-01-01T12:00:00Z"}'
    )
    async with answered(f'{{"items": [{event}]}}') as (adapter, _):
        (found,) = await adapter.pod_events("bots", "bot-1-x")
    assert (found["type"], found["count"], found["lastTimestamp"]) == ("Warning", 3, "2026-01-01T12:00:00Z")


async def test_a_log_that_is_refused_says_why() -> None:
    async with answered('{"kind": "Status", "message": "container bot is waiting to start"}', status=400) as (
        adapter,
        _,
    ):
        with pytest.raises(KubernetesUnavailable, match="container bot is waiting to start"):
            await adapter.pod_log("bots", "bot-1-x")


async def test_a_document_is_read_by_its_path() -> None:
    async with answered('{"keys": []}') as (adapter, asked):
        assert await adapter.get_raw("/openid/v1/jwks") == {"keys": []}
    assert asked == ["GET /openid/v1/jwks"]


@pytest.mark.parametrize(
    ("body", "why"), [('{"kind": "Status", "message": "forbidden: jwks"}', "forbidden: jwks"), ("{}", "403")]
)
async def test_a_document_that_is_refused_says_why(body: str, why: str) -> None:
    async with answered(body, status=403) as (adapter, _):
        with pytest.raises(KubernetesUnavailable, match=why):
            await adapter.get_raw("/openid/v1/jwks")


async def test_an_event_that_is_refused_is_logged_and_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        async with answered('{"kind": "Status", "message": "quota"}', status=403) as (adapter, _):
            await adapter.create_event("bots", {"metadata": {"name": "told"}})
        async with answered("{}") as (adapter, _):
            await adapter.create_event("bots", {"metadata": {"name": "told"}})
    assert [record.__dict__["action"] for record in caplog.records] == ["event_not_posted"]


async def test_an_event_that_a_server_away_does_not_take_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        async with client.ApiClient(client.Configuration(host="http://127.0.0.1:1")) as api:
            await KubeAdapter(api).create_event("bots", {"metadata": {"name": "told"}})
    assert [record.__dict__["action"] for record in caplog.records] == ["event_not_posted"]
