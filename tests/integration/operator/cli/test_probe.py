"""`usher probe` against a real server."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.integration.operator.cli.conftest import Usher


@pytest.mark.parametrize(("status", "code"), [(200, 0), (404, 0), (500, 1), (503, 1)])
async def test_a_server_that_answers_below_500_is_well(usher: Usher, status: int, code: int) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status)

    app = web.Application()
    app.router.add_get("/livez", answer)
    async with TestServer(app) as server:
        url = str(server.make_url("/livez"))
        assert f"{url}: {status}" in await usher("probe", url, "--wait", "0", code=code)


async def test_a_server_that_is_not_there_is_named_with_the_error(usher: Usher) -> None:
    told = await usher("probe", "http://127.0.0.1:1/livez", "--wait", "0", code=1)
    assert "http://127.0.0.1:1/livez: Cannot connect" in told
