"""On which addresses a process listens: of both families of the internet, or the one that it is told."""

import errno
import socket
from typing import Any

import pytest
from aiohttp import ClientSession, web

from tests.fakes.settings import some_settings
from usher_operator.http.server import listening

LOOPBACK = ("127.0.0.1", "[::1]")
create_server = socket.create_server


def without(family: int, reason: int) -> Any:
    def create(address: tuple[str, int], **options: Any) -> socket.socket:
        if options["family"] == family:
            raise OSError(reason, "no such address")
        return create_server(address, **options)

    return create


async def answering(port: int) -> list[str]:
    """On which of the loopback addresses somebody answers."""
    found = []
    async with ClientSession() as http:
        for host in LOOPBACK:
            try:
                async with http.get(f"http://{host}:{port}/"):
                    found.append(host)
            except OSError:
                continue
    return found


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
async def test_by_default_both_families_are_answered() -> None:
    async with listening(web.Application(), 0, settings=some_settings()) as port:
        assert await answering(port) == list(LOOPBACK)


@pytest.mark.parametrize(("family", "left"), [(socket.AF_INET6, "127.0.0.1"), (socket.AF_INET, "[::1]")])
@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
async def test_a_family_that_the_machine_lacks_is_left_out(
    monkeypatch: pytest.MonkeyPatch, family: int, left: str
) -> None:
    monkeypatch.setattr(socket, "create_server", without(family, errno.EADDRNOTAVAIL))
    async with listening(web.Application(), 0, settings=some_settings()) as port:
        assert await answering(port) == [left]


async def test_one_address_is_listened_on_alone() -> None:
    async with listening(web.Application(), 0, settings=some_settings(bind_host="127.0.0.1")) as port:
        assert await answering(port) == ["127.0.0.1"]


async def test_a_port_that_is_taken_is_told() -> None:
    settings = some_settings(bind_host="127.0.0.1")
    async with listening(web.Application(), 0, settings=settings) as port:
        with pytest.raises(OSError, match=r"[Aa]ddress already in use"):
            async with listening(web.Application(), port, settings=settings):
                pass
