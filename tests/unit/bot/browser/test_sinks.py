"""What takes the sound, and what a broken or slow sink does to the rest."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from usher_bot.drivers.browser.sound.file import FileSink
from usher_bot.drivers.browser.sound.objects import Key, ObjectSink, signed_headers
from usher_bot.drivers.browser.sound.program import ProgramSink
from usher_bot.drivers.browser.sound.sink import WAITING_SLICES, Feed, Sink
from usher_bot.drivers.browser.sound.websocket import WebSocketSink

SLICES = [b"one", b"two", b"three"]
EVENT = {"kind": "speaker", "name": "Host"}


async def feed_all(sink: Sink) -> None:
    """Hand three slices and an event to a sink, and let it finish."""
    feed = Feed(sink, name="tested")
    feed.start()
    for data in SLICES:
        feed.put(data)
    feed.put(EVENT)
    await feed.finish()


class Server:
    """Takes whatever is put, and what a WebSocket says."""

    def __init__(self) -> None:
        self.put: dict[str, bytes] = {}
        self.headers: list[dict[str, str]] = []
        self.said: list[bytes | str] = []
        self.refusals = 0

    async def take(self, request: web.Request) -> web.Response:
        """One object."""
        if self.refusals:
            self.refusals -= 1
            raise web.HTTPServiceUnavailable
        self.headers.append(dict(request.headers))
        self.put[request.path] = await request.read()
        return web.Response()

    async def listen(self, request: web.Request) -> web.WebSocketResponse:
        """One connection."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            self.said.append(message.data)
        return socket


@pytest.fixture
def taking() -> Server:
    """What the server was given."""
    return Server()


@pytest.fixture
async def url(taking: Server) -> AsyncIterator[str]:
    """Where it listens."""
    app = web.Application()
    app.add_routes([web.put("/bucket/{name:.*}", taking.take), web.get("/socket", taking.listen)])
    async with TestServer(app) as server:
        yield str(server.make_url("/"))[:-1]


async def test_a_file_holds_every_slice_and_the_events_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "meeting.webm"
    await feed_all(FileSink(path))
    assert path.read_bytes() == b"onetwothree"
    assert json.loads(path.with_suffix(".events.jsonl").read_text()) == EVENT


async def test_a_slice_is_in_the_file_before_the_recording_ends(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "meeting.webm")
    await sink.open()
    await sink.take(b"one")
    assert (tmp_path / "meeting.webm").read_bytes() == b"one"
    await sink.close()


async def test_a_program_gets_the_slices_and_then_the_end_of_its_input(tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    await feed_all(ProgramSink(["sh", "-c", f"cat > {heard}; echo end >> {heard}"]))
    assert heard.read_bytes() == b"onetwothreeend\n"


async def test_a_websocket_gets_slices_and_events_in_their_order(taking: Server, url: str) -> None:
    await feed_all(WebSocketSink(f"{url}/socket"))
    assert taking.said == [*SLICES, json.dumps(EVENT)]


async def test_a_store_gets_one_object_per_slice(taking: Server, url: str) -> None:
    await feed_all(ObjectSink(f"{url}/bucket/meetings/42", key=None))
    assert taking.put["/bucket/meetings/42/00000002.webm"] == b"two"
    assert json.loads(taking.put["/bucket/meetings/42/events/00000001.json"]) == EVENT
    assert "Authorization" not in taking.headers[0]


async def test_a_store_that_is_away_for_a_moment_loses_nothing(taking: Server, url: str) -> None:
    taking.refusals = 1
    await feed_all(ObjectSink(f"{url}/bucket", key=Key("id", "secret")))
    assert [taking.put[f"/bucket/{at:08d}.webm"] for at in (1, 2, 3)] == SLICES
    assert all("Signature=" in headers["Authorization"] for headers in taking.headers)


def test_a_request_is_signed_as_the_specification_s_example_is() -> None:
    key = Key("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    url = "https://examplebucket.s3.amazonaws.com/test%24file.text"
    headers = signed_headers(url, b"Welcome to Amazon S3.", key=key, now=datetime(2013, 5, 24, tzinfo=UTC))
    assert headers["x-amz-content-sha256"] == "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
    assert "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request" in headers["Authorization"]
    assert headers["Authorization"].rpartition("=")[2] == SIGNATURE


# Of botocore's S3SigV4Auth for the same request.
SIGNATURE = "1e15d288c066d54cc20d8f664ade3fa96e6744b2861304671f6eb633045a2d4a"


def test_the_key_comes_from_the_environment_that_every_client_reads() -> None:
    assert Key.of({}) is None
    found = Key.of({"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-central-1"})
    assert found == Key("id", "secret", "eu-central-1")


class Broken:
    """A sink that fails, or never takes anything."""

    def __init__(self, *, hangs: bool) -> None:
        self._hangs = hangs

    async def open(self) -> None:
        if not self._hangs:
            raise OSError("No space left on device")

    async def take(self, data: bytes) -> None:
        await asyncio.Event().wait()

    async def note(self, event: dict[str, Any]) -> None:
        """Never reached."""

    async def close(self) -> None:
        """Nothing was opened."""


@pytest.mark.parametrize("hangs", [True, False])
async def test_a_broken_sink_never_stops_the_bot(hangs: bool, caplog: pytest.LogCaptureFixture) -> None:
    feed = Feed(Broken(hangs=hangs), name="tested")
    feed.start()
    await asyncio.sleep(0)
    for _ in range(WAITING_SLICES + 10):
        feed.put(b"slice")
        await asyncio.sleep(0)
    await asyncio.wait_for(feed.finish(), 2)
    assert [record.action for record in caplog.records if record.levelname == "ERROR"] == [  # type: ignore[attr-defined]
        "sink_too_slow" if hangs else "sink_failed"
    ]
