"""Every id that a link can have fits into a path of the API, for clients that encode it and for those that do not."""

from urllib.parse import quote

import pytest
import requests
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from tests.unit.models.links import ROWS
from usher_models.platforms import Platform, resolve, spellings
from usher_operator.api.schemas.bots import BotPath

IDS = sorted({(platform, row.native_id) for platform, row in ROWS})


async def _handler(_request: web.Request) -> web.StreamResponse:
    return web.Response()


async def understood(path: str) -> BotPath:
    app = web.Application()
    app.router.add_delete("/bots/{platform}/{native_meeting_id}", _handler)
    found = await app.router.resolve(make_mocked_request("DELETE", path))
    return BotPath.model_validate(dict(found))


@pytest.mark.parametrize(("platform", "native_id"), IDS)
async def test_an_encoded_id_is_the_id(platform: str, native_id: str) -> None:
    path = await understood(f"/bots/{platform}/{quote(native_id, safe='')}")
    assert (path.platform, path.native_meeting_id) == (platform, native_id)


@pytest.mark.parametrize(("platform", "native_id"), IDS)
async def test_an_id_that_a_client_put_into_a_path_as_it_is_finds_the_meeting(platform: str, native_id: str) -> None:
    """As Vexa's clients do: the id in an f-string, and the HTTP library encodes what it must."""
    url = requests.Request("DELETE", f"http://usher/bots/{platform}/{native_id}").prepare().path_url
    path = await understood(str(url))
    assert native_id in spellings(path.platform, path.native_meeting_id)


@pytest.mark.parametrize(("platform", "native_id"), IDS)
def test_an_id_has_nothing_that_a_proxy_could_change(platform: str, native_id: str) -> None:
    assert not set(native_id) & set("/?#\\ \t\n;")
    assert native_id not in (".", "..")
    assert len(native_id) <= 255
    assert native_id in spellings(Platform(platform), native_id)


def test_the_longest_id_still_fits_a_column() -> None:
    room = "\u00e4" * 120
    assert len(resolve(url=f"https://meet.jit.si/{quote(room)}").native_id) == 120
