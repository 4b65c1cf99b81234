"""One installation for one rewind: its bots, its receiver of webhooks, and all that was seen of them from outside."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from aiohttp import web
from sqlalchemy import make_url, text

from tests.faults.harness.api import MERGE, PODS, REQUESTS, Api
from tests.faults.harness.beside import beside
from tests.faults.harness.installation import Installation, Plot, a_ground
from tests.faults.harness.proxy import Way
from tests.faults.soaking.people import some_people
from tests.faults.watch_freeze import a_request
from tests.integration.operator.webhooks.receiver import Received, Receiver, take
from tests.load.botswarm import Script
from tests.load.botswarm.bot import Bot
from usher_models.db.engine import Database
from usher_models.errors import DatabaseUnavailable

AT_ONCE = 16
POLL_S = 0.5
RECORD = "usher-epoch"

_STATUSES = text("SELECT b.request_name, m.status FROM usher.bots b JOIN meetings m ON m.id = b.meeting_id")


@dataclass
class Seen:
    """What bots, pods and webhooks showed; nothing of it was asked of Usher."""

    joined: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Connection ids by the meeting that they joined."""
    ended: dict[str, str] = field(default_factory=dict)
    """How the bot of a meeting ended."""
    pods: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Uids of pods by their BotRequest's meeting."""
    changes: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """What was told under the id of a webhook."""

    def hear(self, bot: Bot, event: str, native_id: str) -> None:
        """Something happened to a bot."""
        if event == "joined":
            self.joined[native_id].add(bot.identity.connection_id)
        elif event.startswith("ended "):
            self.ended[native_id] = event.removeprefix("ended ")

    def answer(self, received: Received) -> web.StreamResponse:
        """Note the change that a webhook tells, and take it."""
        headers = {name.lower(): value for name, value in received.headers.items()}
        self.changes[headers["webhook-id"]].add(received.body)
        return take(received)

    def rooms_with_two(self) -> int:
        """Meetings that more than one bot joined, or for which more than one pod was made."""
        return sum(len(ids) > 1 for ids in self.joined.values()) + sum(len(uids) > 1 for uids in self.pods.values())

    def ambiguous_webhooks(self) -> int:
        """Ids of webhooks that stood for more than one change."""
        return sum(len(told) > 1 for told in self.changes.values())


@dataclass
class Ground:
    """A running installation with one user. `truth` leads to the database that is the right one now."""

    installation: Installation
    user_id: int
    seen: Seen
    truth: Database
    healthy: set[str] = field(default_factory=set)
    """Meetings whose bots shall live on."""

    @property
    def database(self) -> str:
        """The name of the database."""
        return str(make_url(self.installation.operate.database_url).database)

    @property
    def direct_url(self) -> str:
        """The database without a proxy, as `truth` reaches it."""
        settings = self.installation.stores.settings
        return make_url(settings.database_url).set(database=self.database).render_as_string(hide_password=False)

    def sql(self, *statements: str, database: str = "postgres", port: int | None = None) -> list[Any]:
        """Run statements as the administrator, each by itself; the rows of the last."""
        url = make_url(self.direct_url).set(drivername="postgresql", database=database)
        url = url.set(port=port) if port else url
        rows: list[Any] = []
        with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
                rows = cursor.fetchall() if cursor.description else []
        return rows

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Nobody reaches the database inside of this context."""
        proxies = [ways.postgres for ways in self.installation.ways.values()]
        for proxy in proxies:
            await proxy.turn(Way.REFUSED)
        yield
        for proxy in proxies:
            await proxy.turn(Way.OPEN)

    async def join(self, names: Iterable[str], *, within_s: float = 300) -> None:
        """Ask for a bot in each of these meetings and wait until all are active."""
        wanted = list(names)
        turns = asyncio.Semaphore(AT_ONCE)

        async def ask(name: str) -> None:
            async with turns:
                await self.installation.api.make(self._requests, a_request(name, self.user_id))

        await asyncio.gather(*map(ask, wanted))
        self.healthy |= set(wanted)
        await self.wait_for(dict.fromkeys(wanted, ("active",)), within_s=within_s)

    async def send_away(self, names: Sequence[str]) -> None:
        """Ask the bots of these meetings to leave and wait until they did."""
        self.healthy -= set(names)
        for name in names:
            body = {"spec": {"desiredState": "Left"}}
            status, answer = await self.installation.api.persist("PATCH", f"{self._requests}/{name}", body, kind=MERGE)
            assert status == 200, answer
        await self.wait_for(dict.fromkeys(names, ("completed", "failed")), within_s=120)

    async def wait_for(self, wanted: Mapping[str, tuple[str | None, ...]], *, within_s: float) -> float:
        """Seconds until each meeting has one of its statuses; None: no row. Raises AssertionError if not in time."""
        began = time.monotonic()
        while True:
            statuses = await self.statuses()
            others = {name: statuses.get(name) for name, good in wanted.items() if statuses.get(name) not in good}
            if not others:
                return time.monotonic() - began
            sample = dict(list(others.items())[:5])
            assert time.monotonic() - began < within_s, f"{len(others)} meetings are not as they shall be: {sample}"
            await asyncio.sleep(POLL_S)

    async def statuses(self) -> dict[str, str]:
        """The status of each meeting by its BotRequest; empty while the database is away."""
        try:
            async with self.truth.transaction() as connection:
                return {row.request_name: row.status for row in await connection.execute(_STATUSES)}
        except DatabaseUnavailable:
            return {}

    @property
    def _requests(self) -> str:
        return REQUESTS.format(self.installation.namespace)

    async def watch_pods(self) -> None:
        """Note every pod, for ever."""
        async for event in self.installation.api.watch(PODS.format(self.installation.namespace)):
            pod = event["object"]
            (native_id,) = (
                each["value"]
                for each in pod["spec"]["containers"][0]["env"]
                if each["name"] == "USHER_NATIVE_MEETING_ID"
            )
            self.seen.pods[native_id].add(pod["metadata"]["uid"])


@asynccontextmanager
async def a_rewound_ground(api: Api, *, number: int, name: str, seed: int, beat_s: float) -> AsyncIterator[Ground]:
    """An installation with the record of its epoch and a user who hears of everything by webhooks."""
    seen = Seen()
    plot = Plot(
        number=number,
        name=name,
        seed=seed,
        clocks={"USHER_HEARTBEAT_INTERVAL_S": f"{beat_s:g}", "USHER_WEBHOOK_ALLOWED_HOSTS": "127.0.0.1"},
        script_of=lambda _: Script(lobby_s=0.3, meeting_s=7200, leave_s=0.2),
        hears=seen.hear,
    )
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(Receiver(answer=seen.answer))
        installation = await stack.enter_async_context(a_ground(api, plot))
        await _keep_a_record(installation)
        user_id = await _a_user(installation.truth, receiver.url)
        ground = Ground(installation=installation, user_id=user_id, seen=seen, truth=installation.truth)
        await stack.enter_async_context(beside(watch_of_the_pods=ground.watch_pods()))
        yield ground


async def _keep_a_record(installation: Installation) -> None:
    """The ConfigMap that the chart brings, and an `operate` that knows it."""
    path = f"/api/v1/namespaces/{installation.namespace}/configmaps"
    await installation.api.make(path, {"metadata": {"name": RECORD}})
    operate = installation.operate
    await operate.stop()
    operate.settings = {
        **operate.settings,
        "USHER_EPOCH_NAMESPACE": installation.namespace,
        "USHER_EPOCH_CONFIG_MAP": RECORD,
    }
    await operate.start()


async def _a_user(truth: Database, url: str) -> int:
    (person,) = await some_people(truth, 1, cap=100_000)
    events = ["meeting.status_change", "meeting.started", "meeting.completed"]
    data = json.dumps({"webhook_url": url, "webhook_events": events})
    async with truth.transaction() as connection:
        await connection.execute(
            text("UPDATE users SET data = CAST(:data AS jsonb) WHERE id = :id"), {"data": data, "id": person.id}
        )
    return person.id
