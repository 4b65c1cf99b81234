"""`usher serve` and `usher operate` of this checkout as processes, and a database of the run's own for them.

Each lives as long as its context. Their logs lie in the run's folder; a process that dies early shows its last lines.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import aiohttp
import psycopg
from sqlalchemy import make_url

from dev.stores.settings import load as stores
from usher_models.db import upgrade
from usher_models.db.engine import Database

NAMESPACE = "usher-load"
CALLBACK_PORT, API_PORT, OPERATE_PORT = 18081, 18080, 18082
ADMIN_KEY = "load-test-admin-key"
READY_WITHIN_S = 60.0
TAIL_LINES = 15


@asynccontextmanager
async def fresh_database(*, pool_size: int = 10) -> AsyncIterator[tuple[str, Database]]:
    """A migrated database of the run's own, and its URL; dropped at the end."""
    server = make_url(stores().database_url)
    name = f"usher_load_{uuid4().hex[:8]}"
    url = server.set(database=name).render_as_string(hide_password=False)
    dsn = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"'.encode())
    database = Database.connect(url, pool_size=pool_size, application_name="usher-load")
    try:
        await upgrade.upgrade(database)
        yield url, database
    finally:
        await database.close()
        with psycopg.connect(dsn, autocommit=True) as admin:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@dataclass(kw_only=True)
class UsherProcess:
    """One process of the checkout, by its command: `serve` or `operate`."""

    command: str
    kubeconfig: Path
    database_url: str
    redis_url: str
    log: Path
    health_port: int
    settings: Mapping[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self.process is not None
        return self.process.pid

    async def start(self) -> None:
        """Start it and return when it is ready."""
        await self.spawn()
        await self.ready()

    async def spawn(self) -> None:
        """Start it, and do not wait."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.prefix,
                str(Path(sys.executable).with_name("usher")),
                self.command,
                env=self._environment(),
                stdout=log,
                stderr=log,
            )

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop it and wait for its end."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.send_signal(number)
        try:
            async with asyncio.timeout(30):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["UsherProcess"]:
        """Started and ready for as long as the context lasts."""
        try:
            await self.start()
            yield self
        finally:
            await self.stop()

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "KUBECONFIG": str(self.kubeconfig),
            "USHER_DATABASE_URL": self.database_url,
            "USHER_REDIS_URL": self.redis_url,
            "USHER_NAMESPACES": NAMESPACE,
            "USHER_BIND_HOST": "127.0.0.1",
            "USHER_CALLBACK_PORT": str(CALLBACK_PORT),
            "USHER_API_PORT": str(API_PORT),
            "USHER_OPERATE_PORT": str(OPERATE_PORT),
            "USHER_METRICS_PORT": "0",
            "USHER_ADMIN_API_KEY": ADMIN_KEY,
            "USHER_CALLBACK_URL": f"http://127.0.0.1:{CALLBACK_PORT}",
            "USHER_DRAIN_S": "0",
            "USHER_LOG_LEVEL": "WARNING",
            **self.settings,
        }

    async def ready(self) -> None:
        """Wait until it is ready. Raises RuntimeError with its last lines when it is not in time."""
        assert self.process is not None
        url = f"http://127.0.0.1:{self.health_port}/readyz"
        try:
            async with asyncio.timeout(READY_WITHIN_S), aiohttp.ClientSession() as session:
                while self.process.returncode is None:
                    try:
                        async with session.get(url) as answer:
                            if answer.status == 200:
                                return
                    except aiohttp.ClientError:
                        pass
                    await asyncio.sleep(0.1)
        except TimeoutError:
            await self.stop(signal.SIGKILL)
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:])
        raise RuntimeError(f"`usher {self.command}` is not ready; the end of {self.log}:\n{tail}")


def serve(*, kubeconfig: Path, database_url: str, folder: Path, redis_url: str = "", **settings: str) -> UsherProcess:
    """`usher serve`, not started yet; `settings` are `USHER_…` variables."""
    return UsherProcess(
        command="serve",
        kubeconfig=kubeconfig,
        database_url=database_url,
        redis_url=redis_url,
        log=folder / "serve.log",
        health_port=API_PORT,
        settings=settings,
    )


def operate(*, kubeconfig: Path, database_url: str, folder: Path, redis_url: str = "", **settings: str) -> UsherProcess:
    """`usher operate`, not started yet; `settings` are `USHER_…` variables."""
    return UsherProcess(
        command="operate",
        kubeconfig=kubeconfig,
        database_url=database_url,
        redis_url=redis_url,
        log=folder / "operate.log",
        health_port=OPERATE_PORT,
        settings=settings,
    )
