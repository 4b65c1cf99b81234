"""Whatever happens, in whatever order: a run ends in bounded time and reports it once, as its last callback."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp.test_utils import TestServer
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.bot.fake_control_plane import FakeControlPlane
from tests.unit.bot.fake_time import FakeClock
from tests.unit.bot.harness import Harness, some_settings
from usher_models.wire import leave_command

LIMITS = {"lobby_timeout_s": 60, "max_duration_s": 200, "leave_grace_s": 30}
LONGEST_S = 600 + 200 + 30 + 2 + 600

_EVENTS = st.sampled_from(["let in", "meeting ends", "driver fails", "command", "signal", "outage", "recovery"])
_STORIES = st.lists(st.tuples(st.floats(0, 90), _EVENTS), max_size=6)


@settings(max_examples=20)
@given(story=_STORIES, leaves=st.booleans())
def test_a_run_ends_in_bounded_time_with_one_exited(story: list[tuple[float, str]], leaves: bool) -> None:
    with tempfile.NamedTemporaryFile() as token_file:
        asyncio.run(_live(story, leaves=leaves, token_file=Path(token_file.name)))


async def _live(story: list[tuple[float, str]], *, leaves: bool, token_file: Path) -> None:
    clock = FakeClock()
    plane = FakeControlPlane(now=clock.now)
    async with TestServer(plane.application()) as server, _session(clock) as session:
        plane.url = str(server.make_url("")).rstrip("/")
        harness = Harness(session=session, control_plane=plane, clock=clock)
        harness.driver.leaves = leaves
        await harness.begin(some_settings(token_file, **LIMITS))
        for pause_s, event in story:
            await clock.advance(pause_s)
            _happen(harness, event)
        await _check_the_end(harness)
        await harness.close()


def _session(clock: FakeClock) -> aiohttp.ClientSession:
    under_way: set[int] = set()

    async def begin(_session: object, context: Any, _params: object) -> None:
        under_way.add(id(context))

    async def end(_session: object, context: Any, _params: object) -> None:
        under_way.discard(id(context))

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(begin)
    trace.on_request_end.append(end)
    trace.on_request_exception.append(end)
    clock.busy = lambda: bool(under_way)
    return aiohttp.ClientSession(trace_configs=[trace])


def _happen(harness: Harness, event: str) -> None:
    driver, plane = harness.driver, harness.control_plane
    if event == "driver fails":
        driver.error = RuntimeError("The page is gone.")
    if event in ("let in", "driver fails"):
        driver.let_in.set()
    if event in ("meeting ends", "driver fails"):
        driver.ends.set()
    if event == "command":
        plane.commands = [leave_command(42)]
    if event == "signal":
        harness.lifecycle.terminate()
    if event == "outage":
        for name in ("started", "joined", "status", "heartbeat", "exited"):
            plane.refuse(name, 503)
    if event == "recovery":
        plane.recover()


async def _check_the_end(harness: Harness) -> None:
    outcome = await harness.end()
    assert harness.clock.now() <= LONGEST_S
    assert harness.driver.done.count("leave") == 1
    said = harness.control_plane.of("exited")
    assert bool(said) == outcome.reported
    assert len({call.body["event_id"] for call in said}) <= 1
    assert all(call.body["reason"] == outcome.reason for call in said)
    after = harness.control_plane.names()[len(harness.control_plane.names()) - len(said) :]
    assert set(after) <= {"exited"}
