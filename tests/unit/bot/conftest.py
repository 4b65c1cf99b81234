"""The harness of a bot under test, with every connection on the loopback device and no real waiting."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from tests.unit.bot.fake_control_plane import FakeControlPlane
from tests.unit.bot.fake_time import FakeClock
from tests.unit.bot.harness import Harness, some_settings
from usher_bot.settings import Settings


class _Traffic:
    """Counts the requests under way, so that the clock waits for them."""

    def __init__(self) -> None:
        self.under_way = 0

    def trace(self) -> aiohttp.TraceConfig:
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(self._begin)
        trace.on_request_end.append(self._end)
        trace.on_request_exception.append(self._end)
        return trace

    async def _begin(self, *_: object) -> None:
        self.under_way += 1

    async def _end(self, *_: object) -> None:
        self.under_way -= 1


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("first-token\n")
    return path


@pytest.fixture
def settings(token_file: Path) -> Settings:
    return some_settings(token_file)


@pytest.fixture
async def control_plane(clock: FakeClock) -> AsyncIterator[FakeControlPlane]:
    plane = FakeControlPlane(now=clock.now)
    async with TestServer(plane.application()) as server:
        plane.url = str(server.make_url("")).rstrip("/")
        yield plane


@pytest.fixture
async def session(clock: FakeClock) -> AsyncIterator[aiohttp.ClientSession]:
    traffic = _Traffic()
    clock.busy = lambda: traffic.under_way > 0
    async with aiohttp.ClientSession(trace_configs=[traffic.trace()]) as session:
        yield session


@pytest.fixture
async def harness(
    session: aiohttp.ClientSession, control_plane: FakeControlPlane, clock: FakeClock
) -> AsyncIterator[Harness]:
    harness = Harness(session=session, control_plane=control_plane, clock=clock)
    yield harness
    await harness.close()
