"""The one ConfigMap that operate reads and changes: gone and forbidden are no outage, a newer version is kept."""

import pytest

from tests.unit.operator.kube.test_adapter_writes import ApiServer, connected
from usher_models.errors import KubernetesUnavailable
from usher_operator.kube.port import WriteRefused

PATH = "/api/v1/namespaces/usher-system/configmaps/usher-epoch"
PATCH = {"metadata": {"resourceVersion": "7"}, "data": {"epoch": "1"}}


async def patched(server: ApiServer) -> bool:
    async with connected(server) as adapter:
        return await adapter.patch_config_map("usher-system", "usher-epoch", PATCH)


async def test_it_is_read_by_its_name() -> None:
    server = ApiServer(data={"epoch": "1"})
    async with connected(server) as adapter:
        assert await adapter.get_config_map("usher-system", "usher-epoch") == {"data": {"epoch": "1"}}
    assert server.asked == [("GET", PATH, None)]


@pytest.mark.parametrize("status", [403, 404])
async def test_one_that_is_gone_or_forbidden_is_none(status: int) -> None:
    async with connected(ApiServer(status, message="no")) as adapter:
        assert await adapter.get_config_map("usher-system", "usher-epoch") is None


async def test_a_change_names_the_version_that_was_read() -> None:
    server = ApiServer()
    assert await patched(server)
    assert server.asked == [("PATCH", PATH, PATCH)]


@pytest.mark.parametrize("status", [404, 409])
async def test_one_that_is_gone_or_was_changed_meanwhile_is_not_changed(status: int) -> None:
    assert not await patched(ApiServer(status, reason="Conflict", message="the object has been modified"))


@pytest.mark.parametrize("status", [403, 422])
async def test_a_change_that_is_refused_says_why(status: int) -> None:
    with pytest.raises(WriteRefused, match="not this one"):
        await patched(ApiServer(status, message="not this one"))


async def test_a_server_that_is_busy_is_worth_another_try() -> None:
    with pytest.raises(KubernetesUnavailable, match="429"):
        await patched(ApiServer(429, message="slow down"))
