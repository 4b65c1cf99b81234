"""A real conference and real browsers. `make browser` brings the conference up, and so does the first test."""

import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from dev.conference import certificate
from dev.conference.host import Host, a_host
from dev.conference.settings import REPOSITORY, Settings, load
from tests.browser.guest import Guest, a_guest


@pytest.fixture(scope="session")
def conference() -> Settings:
    """The conference, up."""
    subprocess.run([sys.executable, "-m", "dev.conference", "up"], cwd=REPOSITORY, check=True, env=_environment())
    return load()


@pytest.fixture(scope="session")
def pin(conference: Settings) -> str:
    """By which browsers trust the conference."""
    return certificate.pin(conference.certificate)


@pytest.fixture
def room() -> str:
    """A room of the test's own."""
    return f"room-{uuid.uuid4().hex[:12]}"


@pytest.fixture(params=["conference", "jitsi"])
def site(request: pytest.FixtureRequest) -> str:
    """Whose pages: our own, and Jitsi's."""
    return str(request.param)


@pytest.fixture
def site_url(conference: Settings, site: str) -> str:
    """Where those pages are."""
    return conference.jitsi_url if site == "jitsi" else conference.meeting_url


@pytest.fixture
async def host(conference: Settings, pin: str, room: str, site: str, site_url: str) -> AsyncIterator[Host]:
    """The moderator, in the room."""
    async with a_host(kind=site, url=site_url, room=room, pin=pin, voice=conference.voice) as made:
        await made.come()
        yield made


MakeGuest = Callable[..., Guest]


@pytest.fixture
async def make_guest(pin: str, room: str, site: str, site_url: str, tmp_path: Path) -> AsyncIterator[MakeGuest]:
    """Starts bots in the room; they are out at the end of the test."""
    url = f"{site_url}/{room}" if site == "jitsi" else f"{site_url}/m/{room}"
    async with AsyncExitStack() as stack:

        def make(**options: Any) -> Guest:
            made = a_guest(url=url, site=site, pin=pin, folder=tmp_path, **options)
            stack.push_async_callback(made.leave)
            made.start()
            return made

        yield make


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY)}
