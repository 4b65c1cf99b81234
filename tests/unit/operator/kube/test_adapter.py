"""What the adapter asks of the API server, where one may be older than another."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from kubernetes.aio import client

from tests.fakes.objects import a_botrequest
from usher_models.errors import KubernetesUnavailable
from usher_operator.kube.adapter import NOT_ENDED, KubeAdapter


class ApiServer:
    """Lists two BotRequests, one of which is over; an old one cannot tell them apart."""

    def __init__(self, *, old: bool) -> None:
        self.old = old
        self.asked: list[str | None] = []

    async def list_requests(self, request: web.Request) -> web.Response:
        selector = request.query.get("fieldSelector")
        self.asked.append(selector)
        if selector and self.old:
            return web.json_response(
                {"kind": "Status", "message": f"field label not supported: {selector}"}, status=400
            )
        if request.match_info["namespace"] != "bots":
            return web.json_response({"kind": "Status", "message": "That is no namespace."}, status=422)
        over = a_botrequest("over", uid="over", status={"phase": "completed"})
        return web.json_response({"items": [a_botrequest("runs", uid="runs"), *([] if selector else [over])]})


@asynccontextmanager
async def connected(server: ApiServer) -> AsyncIterator[KubeAdapter]:
    app = web.Application()
    app.router.add_get("/apis/usher.dev/v1alpha1/namespaces/{namespace}/botrequests", server.list_requests)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with client.ApiClient(client.Configuration(host=address)) as api:
            yield KubeAdapter(api)
    finally:
        await runner.cleanup()


async def names(adapter: KubeAdapter, *, ended: bool) -> list[str]:
    return [request.name for request in await adapter.list_requests("bots", ended=ended)]


async def test_what_is_over_is_listed_where_it_is_asked_for() -> None:
    server = ApiServer(old=False)
    async with connected(server) as adapter:
        assert await names(adapter, ended=False) == ["runs"]
        assert await names(adapter, ended=True) == ["runs", "over"]
    assert server.asked == [NOT_ENDED, None]


async def test_a_server_that_cannot_select_lists_all_and_is_not_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    server = ApiServer(old=True)
    with caplog.at_level("INFO"):
        async with connected(server) as adapter:
            assert await names(adapter, ended=False) == ["runs", "over"]
            assert await names(adapter, ended=False) == ["runs", "over"]
    assert server.asked == [NOT_ENDED, None, None]
    assert [record.__dict__["action"] for record in caplog.records] == ["list_all"]


async def test_any_other_answer_is_no_reason_to_list_all() -> None:
    server = ApiServer(old=False)
    async with connected(server) as adapter:
        with pytest.raises(KubernetesUnavailable, match=r"That is no namespace\."):
            await adapter.list_requests("elsewhere", ended=False)
    assert server.asked == [NOT_ENDED]
