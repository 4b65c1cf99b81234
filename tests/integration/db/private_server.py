"""A Postgres of a test's own: it asks for passwords, may become a standby, and may refuse connections."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg

from dev.stores.postgres import hand_over, unprivileged
from dev.stores.settings import HOST, load

PASSWORD = "s3cret-of-the-test"
_BIN = load().postgres_bin


class PrivateServer:
    """The server and its data, which go with the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = _free_port()

    def url(self, *, password: str = PASSWORD, database: str = "postgres", query: str = "", port: int = 0) -> str:
        """How to reach a database of it."""
        return f"postgresql+psycopg://usher:{password}@{HOST}:{port or self.port}/{database}{query}"

    def sql(self, *statements: str) -> None:
        """Run statements as the superuser."""
        dsn = self.url().replace("+psycopg", "")
        with psycopg.connect(dsn, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-p {self.port} -k {self.folder} -c listen_addresses={HOST} -c fsync=off -c max_connections=20"
        self._run("pg_ctl", "start", "-w", "-D", str(self.data), "-o", options, "-l", str(self.folder / "log"))

    def stop(self) -> None:
        """Stop it; open connections are cut."""
        self._run("pg_ctl", "stop", "-D", str(self.data), "-m", "immediate")

    def become_standby(self) -> None:
        """Start again as a standby, as a primary does that another one replaced."""
        self._run("pg_ctl", "stop", "-D", str(self.data), "-m", "fast")
        (self.data / "standby.signal").touch()
        hand_over(self.data / "standby.signal")
        self.start()

    def promote(self) -> None:
        """Become the primary."""
        self._run("pg_ctl", "promote", "-w", "-D", str(self.data))

    def init(self) -> None:
        """Make the data."""
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        hand_over(secret)
        auth = ("--auth=scram-sha-256", f"--pwfile={secret}", "--username=usher")
        self._run("initdb", "-D", str(self.data), "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", *auth)

    def _run(self, program: str, *arguments: str) -> None:
        words = [*unprivileged(), str(_BIN / program), *arguments]
        # pg_ctl's server keeps the output open: it must not be a pipe.
        subprocess.run(words, cwd="/", check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextmanager
def private_server() -> Iterator[PrivateServer]:
    """A running server, for as long as the context lasts."""
    folder = load().home / f"private-{uuid4().hex[:8]}"
    folder.mkdir(parents=True)
    hand_over(folder)
    server = PrivateServer(folder)
    try:
        server.init()
        server.start()
        yield server
    finally:
        if (server.data / "postmaster.pid").exists():
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])
