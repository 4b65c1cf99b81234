"""Postgres and Redis of a run's own, which it may kill: never the ones that other tests use.

They are those of `dev.stores` in another folder, on other ports. What they commit survives SIGKILL: only a crash of the
whole machine could lose what the kernel was handed.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from uuid import uuid4

import psycopg
from sqlalchemy import make_url

from dev.machine import processes
from dev.machine.progress import Progress
from dev.stores import postgres, redis
from dev.stores.settings import Settings, load
from tests.databases import belong_to
from tests.fakes.settings import INSTALLATION
from usher_models.db import upgrade
from usher_models.db.engine import Database

TEMPLATE = "usher_template"
MAX_CONNECTIONS = 900


@dataclass(frozen=True)
class Stores:
    """One Postgres and one Redis."""

    settings: Settings

    @classmethod
    @asynccontextmanager
    async def up(cls, *, number: int = 0) -> AsyncIterator["Stores"]:
        """Both, empty, for as long as the context lasts. Several runs may have their own by `number`."""
        usual = load()
        home = usual.home.with_name(usual.home.name + f"-faults-{number}")
        settings = replace(
            usual,
            home=home,
            # Below the ports that clients get, see harness.proxy.
            postgres_port=24400 + number,
            redis_port=63900 + number,
            max_connections=MAX_CONNECTIONS,
        )
        stores = cls(settings)
        await asyncio.to_thread(stores.start)
        try:
            await stores._migrate_template()
            yield stores
        finally:
            await asyncio.to_thread(stores.stop)

    def start(self) -> None:
        """Start both, also after a kill."""
        self.start_postgres()
        self.start_redis()

    def stop(self) -> None:
        """Stop both."""
        postgres.down(self.settings)
        redis.down(self.settings)

    def start_postgres(self) -> None:
        """Start Postgres, also after a kill."""
        postgres.up(self.settings, progress=_quiet())

    def start_redis(self) -> None:
        """Start Redis; what it held is gone."""
        redis.up(self.settings, progress=_quiet())

    @asynccontextmanager
    async def another_redis(self, number: int) -> AsyncIterator[str]:
        """The URL of one more Redis, whose users are its own, for as long as the context lasts."""
        home = self.settings.home / f"redis-{number}"
        settings = replace(self.settings, home=home, redis_port=self.settings.redis_port + 100 * (1 + number))
        await asyncio.to_thread(redis.up, settings, progress=_quiet())
        try:
            yield settings.redis_url
        finally:
            await asyncio.to_thread(redis.down, settings)

    def kill_postgres(self) -> None:
        """SIGKILL for the server and each of its backends."""
        processes.stop(postgres.process(self.settings), kill=True)

    def kill_redis(self) -> None:
        """SIGKILL."""
        processes.stop(redis.process(self.settings), kill=True)

    async def _migrate_template(self) -> None:
        with self._admin() as admin:
            for (name,) in admin.execute("SELECT datname FROM pg_database WHERE datname LIKE 'usher\\_%'").fetchall():
                admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
            admin.execute(f'CREATE DATABASE "{TEMPLATE}" TEMPLATE template0'.encode())
        database = Database.connect(self._url(TEMPLATE))
        await upgrade.upgrade(database)
        await database.close()
        belong_to(self._url(TEMPLATE), INSTALLATION)

    def create_database(self, name: str) -> str:
        """The URL of a new, migrated database."""
        unique = f"usher_{name}_{uuid4().hex[:6]}".replace("-", "_")
        with self._admin() as admin:
            admin.execute(f'CREATE DATABASE "{unique}" TEMPLATE "{TEMPLATE}" STRATEGY WAL_LOG'.encode())
        return self._url(unique)

    def _admin(self) -> psycopg.Connection:
        url = make_url(self.settings.database_url).set(drivername="postgresql", database="postgres")
        return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)

    def _url(self, name: str) -> str:
        return make_url(self.settings.database_url).set(database=name).render_as_string(hide_password=False)


def _quiet() -> Progress:
    """A progress that says nothing: a run speaks for itself."""

    class Quiet(Progress):
        def say(self, sentence: str) -> None:
            pass

    return Quiet()
