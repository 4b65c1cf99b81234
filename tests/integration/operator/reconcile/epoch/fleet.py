"""Many bots in their meetings, a database that goes back beneath them, and what must be true afterwards."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self

import psycopg
from sqlalchemy import make_url

from tests.databases import Server, admin_dsn
from tests.integration.operator.plane import Plane
from tests.scenario import User, speaker_of
from usher_models.db import bots, transitions
from usher_models.db.bots import Bot
from usher_models.db.transitions import Report
from usher_models.errors import DatabaseUnavailable
from usher_models.states import Reason, Source, Status

Json = dict[str, Any]

BOTS = 30


@dataclass(kw_only=True)
class Fleet:
    """The bots of one user, who hears of every change by webhooks."""

    plane: Plane
    url: str
    user: User
    requests: list[Json] = field(default_factory=list)
    jobs: set[tuple[str, str]] = field(default_factory=set)
    webhooks: dict[str, str] = field(default_factory=dict)

    @classmethod
    async def of(cls, plane: Plane, url: str, *, bots: int = 0) -> Self:
        """A user, so many bots in their meetings, and a first sweep that has looked at the database."""
        user = await plane.given.a_user(cap=1000)
        fleet = cls(plane=plane, url=url, user=user)
        await plane.given.execute(
            """UPDATE users SET data = '{"webhook_url": "https://hooks.example.org",
               "webhook_events": ["meeting.status_change", "meeting.started"]}' WHERE id = :id""",
            id=user.id,
        )
        await fleet.grow(bots)
        await plane.tick()
        return fleet

    async def grow(self, count: int) -> None:
        """So many more of them."""
        for _ in range(count):
            request = self.plane.a_request_of(self.user, f"bot-of-{len(self.requests)}")
            await self.plane.ensure(request)
            self.requests.append(request)
            await self.speak(request)
        self.jobs = set(self.plane.kube.jobs)
        await self.remember_webhooks()

    async def speak(self, request: Json) -> Bot:
        """The bot reports that it is in its meeting, and its BotRequest shows it."""
        bot = await self.bot_of(request)
        said = Report(
            connection_id=bot.connection_id, target=Status.ACTIVE, reason=Reason.JOINED, speaker=speaker_of(bot)
        )
        async with self.plane.database.at_once() as connection:
            await transitions.report(connection, said)
        self.plane.kube.run_pod(bot.job_name)
        status = self.plane.kube.status(request["metadata"]["name"])
        status |= {"phase": "active", "meetingId": bot.meeting_id, "observedGeneration": 1}
        return bot

    async def bot_of(self, request: Json) -> Bot:
        bot = await self.plane.bot_of(request)
        assert bot is not None, f"{request['metadata']['name']} has no row"
        return bot

    async def remember_webhooks(self) -> None:
        """Every webhook there was, under its id."""
        async with self.plane.database.transaction() as connection:
            rows = await connection.exec_driver_sql("SELECT event_id, payload::text FROM usher.webhook_deliveries")
            found: dict[str, str] = {row.event_id: row.payload for row in rows}
        for event_id, payload in found.items():
            assert self.webhooks.setdefault(event_id, payload) == payload, "an id stands for two changes"

    async def settle(self) -> None:
        """Sweep until the hold is over, while every bot that has a row speaks."""
        for _ in range(9):
            await self.plane.tick(after=self.plane.settings.reconcile_interval_s)
            waiting = {bot.connection_id for bot in await self.live() if bot.status is Status.RESERVED}
            for request in self.requests:
                if request["metadata"]["uid"] in waiting:
                    await self.speak(request)
        assert not self.plane.hold.active

    async def live(self) -> list[Bot]:
        """Every live row."""
        async with self.plane.database.reading() as connection:
            return await bots.live_bots(connection)

    async def require_nobody_hurt(self, *, adopted: int) -> None:
        """Each bot is there, alone, under its own ids; so many of them say that they were adopted."""
        writes = self.plane.kube.writes_of("Job")
        assert set(self.plane.kube.jobs) == self.jobs
        assert "delete" not in writes
        assert "delete" not in self.plane.kube.writes_of("BotRequest")
        assert writes.count("create") == len(self.jobs)
        found = [await self.bot_of(request) for request in self.requests]
        assert {(bot.request_namespace, bot.job_name) for bot in found} == self.jobs
        assert {bot.status for bot in found} == {Status.ACTIVE}
        assert await self.adoptions() == adopted
        await self.remember_webhooks()
        assert len(self.webhooks) >= 2 * len(self.requests)

    async def adoptions(self) -> int:
        """How many rows say that they were put back."""
        return int(
            await self.scalar(
                "SELECT count(*) FROM usher.transitions WHERE source = %s AND reason = %s",
                Source.ADOPTION,
                Reason.ADOPTED,
            )
        )

    async def scalar(self, sql: str, *values: object) -> Any:
        with psycopg.connect(admin_dsn(self.url), autocommit=True) as connection:
            row = connection.execute(sql.encode(), values).fetchone()
        return row[0] if row else None

    async def next_meeting_id(self) -> int:
        """The id that a new meeting gets."""
        async with self.plane.database.transaction() as connection:
            return int((await connection.exec_driver_sql("SELECT nextval(usher.meeting_id_sequence())")).scalar_one())

    def used_ids(self) -> set[int]:
        """The ids of meetings that Kubernetes shows."""
        return {int(job["metadata"]["labels"]["usher.dev/meeting-id"]) for job in self.plane.kube.jobs.values()}

    @asynccontextmanager
    async def restored_to_now(self, server: Server) -> AsyncIterator[None]:
        """What happens inside is lost: afterwards the name of the database leads to a copy of how it was before."""
        name = str(make_url(self.url).database)
        copy = self._copy(server)
        await self._reconnect()
        yield
        with _administering(server) as connection:
            _disconnect(connection, name)
            connection.execute(f'ALTER DATABASE "{name}" RENAME TO "{name}_lost"'.encode())
            connection.execute(f'ALTER DATABASE "{copy}" RENAME TO "{name}"'.encode())
            connection.execute(f'DROP DATABASE "{name}_lost" WITH (FORCE)'.encode())
        await self._reconnect()

    async def _reconnect(self) -> None:
        """Use up the connections that were cut."""
        for _ in range(10):
            with suppress(DatabaseUnavailable):
                await self.plane.database.ping()
        await self.plane.reconciler.tick()

    def _copy(self, server: Server) -> str:
        name = str(make_url(self.url).database)
        with _administering(server) as connection:
            _disconnect(connection, name)
        return str(make_url(server.create(template=name)).database)


@contextmanager
def _administering(server: Server) -> Iterator[psycopg.Connection]:
    url = server.create()
    try:
        with psycopg.connect(admin_dsn(url), autocommit=True) as connection:
            yield connection
    finally:
        server.drop(url)


def _disconnect(connection: psycopg.Connection, name: str) -> None:
    connection.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name])
