"""Routes of Vexa that Usher does not have: a clear 501, or what an upstream answers."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from tests.fakes.kube import FakeKube
from tests.fakes.publisher import RecordingPublisher
from tests.fakes.settings import some_settings
from tests.integration.operator.api.client import Client, key_of
from tests.scenario import Scenario, User
from usher_operator.processes.serve import public_api

ABSENT = [
    ("GET", "/transcripts/zoom/85123456789"),
    ("POST", "/transcripts/zoom/85123456789/share"),
    ("GET", "/transcripts/by-id/7"),
    ("GET", "/recordings"),
    ("DELETE", "/recordings/7"),
    ("GET", "/recordings/7/media/8/raw"),
    ("PUT", "/recording-config"),
    ("POST", "/bots/zoom/85123456789/speak"),
    ("GET", "/bots/zoom/85123456789/chat"),
    ("GET", "/bots/zoom/85123456789/participants"),
    ("PUT", "/meetings/zoom/85123456789/intent"),
    ("POST", "/meetings/7/transcribe"),
    ("POST", "/meetings"),
    ("GET", "/user/calendars"),
    ("GET", "/user/calendar/sync"),
]


@pytest.mark.parametrize(("method", "path"), ABSENT)
async def test_what_only_a_bot_knows_is_501(me: Client, method: str, path: str) -> None:
    answer = await me.send(method, path)
    assert (answer.code, answer.body["code"]) == (501, "not_implemented")
    assert "USHER_MEDIA_UPSTREAM" in answer.body["detail"]
    assert (await Client(me.http, {}).send(method, path)).code == 401


@pytest.fixture
async def behind(given: Scenario, kube: FakeKube, publisher: RecordingPublisher, user: User) -> AsyncIterator[Client]:
    """A client of a server with an upstream, which repeats what it got."""

    async def echo(request: web.Request) -> web.Response:
        seen = {"path": str(request.rel_url), "body": await request.text(), "user": request.headers.get("x-user-id")}
        return web.json_response(seen, status=418, headers={"X-Extra": "1", "x-user-secret": "2"})

    upstream = web.Application()
    upstream.router.add_route("*", "/{rest:.*}", echo)
    async with TestServer(upstream) as server:
        settings = some_settings(media_upstream=f"http://127.0.0.1:{server.port}")
        app = public_api(settings, database=given.database, publisher=publisher, kube=kube)
        async with TestClient(TestServer(app)) as http:
            yield Client(http, {"X-API-Key": await key_of(given, user)})


async def test_an_upstream_answers_for_them(behind: Client, user: User) -> None:
    answer = await behind.send(
        "POST", "/bots/zoom/1/speak?x=1", data="hello", headers={"X-User-Id": "999", "Connection": "keep-alive"}
    )
    assert answer.code == 418
    assert answer.body == {"path": "/bots/zoom/1/speak?x=1", "body": "hello", "user": str(user.id)}
    assert ("X-Extra" in answer.headers, "x-user-secret" in answer.headers) == (True, False)


async def test_usher_answers_its_own_routes_before_an_upstream(behind: Client) -> None:
    assert (await behind.get("/meetings")).code == 200


async def test_an_upstream_that_is_away_is_502(
    given: Scenario, kube: FakeKube, publisher: RecordingPublisher, user: User
) -> None:
    app = public_api(
        some_settings(media_upstream="http://127.0.0.1:1"), database=given.database, publisher=publisher, kube=kube
    )
    async with TestClient(TestServer(app)) as http:
        client = Client(http, {"X-API-Key": await key_of(given, user)})
        answer = await client.get("/transcripts/zoom/1")
    assert (answer.code, answer.body["code"]) == (502, "upstream_unavailable")
