"""A Redis for one test alone, with the users that the installation for trying out gives it."""

import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[4]
USERS = REPOSITORY / "manifests" / "overlays" / "local" / "redis-users.acl"
PASSWORDS = {"usher-serve": "local-only", "usher-operate": "local-only-too"}
PROGRAM = "/usr/bin/redis-server"


@dataclass
class OwnRedis:
    """One server that can be restarted; what it knew is gone then."""

    folder: Path
    port: int
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def server(self) -> str:
        """Its URL without credentials."""
        return f"redis://127.0.0.1:{self.port}/0"

    def url(self, user: str) -> str:
        """Its URL for one of the users from the start."""
        return f"redis://{user}:{PASSWORDS[user]}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it and wait until it answers."""
        argv = [PROGRAM, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        argv += ["--aclfile", str(USERS), *self.options]
        self.process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not self._answers():
            assert time.monotonic() < deadline, "Redis did not start."
            time.sleep(0.02)

    def stop(self) -> None:
        """Kill it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _answers(self) -> bool:
        with socket.socket() as link:
            return link.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    """A Redis that answers."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = int(sock.getsockname()[1])
    server = OwnRedis(folder=tmp_path, port=port)
    server.start()
    yield server
    server.stop()
