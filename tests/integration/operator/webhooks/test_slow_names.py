"""A user's name server that does not answer costs that user's deliveries time, and nobody else anything."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from usher_operator.webhooks.guard import Guard
from usher_operator.webhooks.transport import DNS_TIMEOUT_S, DNS_TRIES, TIMEOUT_S, Transport


@pytest.fixture
async def silent_server() -> AsyncIterator[int]:
    """The port of a name server that never answers."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
    yield int(transport.get_extra_info("sockname")[1])
    transport.close()


async def test_names_of_receivers_are_resolved_without_the_threads_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    async def getaddrinfo(*args: Any, **_: Any) -> list[Any]:
        calls.append(args)
        return []

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    transport = Transport(Guard())
    answer = await transport.post("http://localhost:1/hook", "{}", {})
    await transport.close()
    assert (answer.refused, calls) == (True, [])


async def test_a_silent_name_server_ends_an_attempt_in_time(silent_server: int) -> None:
    resolver = aiohttp.AsyncResolver(
        nameservers=["127.0.0.1"], udp_port=silent_server, tcp_port=silent_server, timeout=0.1, tries=2
    )
    transport = Transport(Guard(), resolver=resolver)
    began = time.monotonic()
    answers = await asyncio.gather(
        *(transport.post(f"http://slow-{number}.example/hook", "{}", {}) for number in range(50))
    )
    await transport.close()
    assert {answer.delivered for answer in answers} == {False}
    assert time.monotonic() - began < 5


def test_a_look_up_is_given_up_before_its_attempt() -> None:
    # c-ares doubles the time-out of each further try.
    assert sum(DNS_TIMEOUT_S * 2**attempt for attempt in range(DNS_TRIES)) < TIMEOUT_S
