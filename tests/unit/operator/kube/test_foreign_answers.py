"""Whatever stands between Usher and the API server may answer in its place; that is evidence of nothing."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from kubernetes.aio import client

from tests.fakes.objects import a_job
from usher_models.errors import KubernetesUnavailable
from usher_operator.kube.adapter import KubeAdapter

Act = Callable[[KubeAdapter], Awaitable[object]]

ACTS: dict[str, Act] = {
    "reading a Job": lambda kube: kube.get_job("bots", "bot-1"),
    "reading a BotRequest": lambda kube: kube.get_request("bots", "standup"),
    "listing Jobs": lambda kube: kube.list_jobs("bots"),
    "listing pods": lambda kube: kube.list_pods("bots", job_name="bot-1"),
    "listing BotRequests": lambda kube: kube.list_requests("bots", ended=False),
    "creating a Job": lambda kube: kube.create_job("bots", a_job()),
    "deleting a Job": lambda kube: kube.delete_job("bots", "bot-1"),
    "deleting a BotRequest": lambda kube: kube.delete_request("bots", "standup", uid="u-1"),
    "writing a status": lambda kube: kube.patch_request_status("bots", "standup", {}, uid="u-1"),
    "reading keys": lambda kube: kube.get_raw("/openid/v1/jwks"),
    "reading a log": lambda kube: kube.pod_log("bots", "bot-1-x"),
}
STATUSES = (400, 403, 404, 409, 410, 422)


@asynccontextmanager
async def behind_a_proxy(status: int, *, kind: str = "text/html", body: str = "<html/>") -> AsyncIterator[KubeAdapter]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body, content_type=kind)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with client.ApiClient(client.Configuration(host=address)) as api:
            yield KubeAdapter(api)
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
async def test_a_page_with_an_error_is_no_answer_of_the_api_server(act: Act) -> None:
    for status in STATUSES:
        async with behind_a_proxy(status) as kube:
            with pytest.raises(KubernetesUnavailable, match=f"{status}, and not from the API server"):
                await act(kube)


@pytest.mark.parametrize("act", [act for name, act in ACTS.items() if name != "reading a log"])
async def test_a_page_without_an_error_is_none_either(act: Act) -> None:
    async with behind_a_proxy(200) as kube:
        with pytest.raises(KubernetesUnavailable, match="200, and not from the API server"):
            await act(kube)


async def test_the_keys_of_a_cluster_are_json_by_another_name() -> None:
    async with behind_a_proxy(200, kind="application/jwk-set+json", body='{"keys": []}') as kube:
        assert await kube.get_raw("/openid/v1/jwks") == {"keys": []}


async def test_json_of_another_program_is_no_error_of_the_api_server() -> None:
    async with behind_a_proxy(404, kind="application/json", body='{"error": "no such service"}') as kube:
        with pytest.raises(KubernetesUnavailable, match="404, and not from the API server"):
            await kube.get_job("bots", "bot-1")
