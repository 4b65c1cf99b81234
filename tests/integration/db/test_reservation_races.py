"""The cap, raced: however many ask at once, however many of them die, nobody ever holds more slots than allowed.

How the largest overlap is measured, trusting neither the lock under test nor timestamps nor a trigger:

A user's overlap grows only when a reservation commits, so its largest value is reached right after some commit. Each
admitted client counts its user's live rows after its commit, in a new snapshot, and a `Gate` per user keeps bots from
ending between a commit and its count. So whatever was live at the commit is in the count, and the count is the overlap
of a real instant: the largest count is the largest overlap, exactly. Reservations are never kept from each other, and
ending bots race the locking and the counting of those that are being reserved.

`transitions.at` alone cannot prove it: it is when a transaction began, and transactions commit in another order. It
does prove the reverse: a bot was live at least from the moment its client saw the commit until its end began, and even
these certain spans must not overlap too often. That is swept too, as a check by other means.

`USHER_RACE_ATTEMPTS` sets the size of the large race; below a thousand or so it may not reach every cap.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.databases import open_database
from tests.scenario import Scenario, User, a_meeting, a_request, move
from usher_models.db.bots import Bot
from usher_models.db.engine import Database
from usher_models.db.reservations import Request, Reservation, reserve
from usher_models.errors import CapReached, ConnectionTaken, DatabaseUnavailable, DuplicateMeeting
from usher_models.states import HOLDS_SLOT, TERMINAL, Source, Status

ATTEMPTS = int(os.environ.get("USHER_RACE_ATTEMPTS", "2000"))
CLIENTS = 64
CAPS = (0, 1, 2, 3, 4, 5)
USERS = 20

# The share of clients that die, and how. Few lose their connection: each time, the pool empties itself.
LOSES_ITS_CONNECTION = 0.002
CANCELLED = 0.04
DIES = 0.12

ENDINGS = (
    (Status.COMPLETED, Source.BOT),
    (Status.COMPLETED, Source.OPERATOR),
    (Status.FAILED, Source.API),
    (Status.FAILED, Source.RECONCILER),
)

pytestmark = [pytest.mark.own_database, pytest.mark.timeout(120 + ATTEMPTS // 20)]

COUNT = text(
    "SELECT count(*) AS live, clock_timestamp() AS at FROM meetings WHERE user_id = :user_id AND status = ANY(:holds)"
)


class Crash(Exception):
    """The client is gone."""


class Gate:
    """Lets in any number who do the same, and nobody who does the other thing."""

    def __init__(self) -> None:
        self._inside: Counter[str] = Counter()
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def closed_to(self, others: str, *, doing: str) -> AsyncIterator[None]:
        async with self._changed:
            await self._changed.wait_for(lambda: not self._inside[others])
            self._inside[doing] += 1
        try:
            yield
        finally:
            async with self._changed:
                self._inside[doing] -= 1
                self._changed.notify_all()


@dataclass(kw_only=True)
class Contender:
    """A user, the user's running bots, and what became of the user's requests."""

    user: User
    gate: Gate = field(default_factory=Gate)
    running: list[Bot] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    certainly_live_from: dict[int, datetime] = field(default_factory=dict)
    largest: int = 0


async def dies_before_the_commit(_connection: AsyncConnection) -> None:
    raise Crash


async def loses_its_connection(connection: AsyncConnection) -> None:
    await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))


class Race:
    """Clients that reserve, die, or end a running bot, all at once, each on a connection of its own."""

    def __init__(self, database: Database, contenders: list[Contender], *, seed: int = 20) -> None:
        self.database = database
        self.contenders = contenders
        self.random = random.Random(seed)

    async def run(self, attempts: int) -> None:
        todo = iter(range(attempts))

        async def client() -> None:
            for _ in todo:
                who = self.random.choice(self.contenders)
                await self.attempt(who)
                if who.running and self.random.random() < 0.9:
                    await self.end_one(who)

        async with asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(client())

    async def attempt(self, who: Contender) -> None:
        request, fate = a_request(who.user), self.random.random()
        who.outcomes["attempts"] += 1
        try:
            if fate < DIES:
                await self.die_somehow(who, request, fate=fate)
            else:
                await self.reserve_and_count(who, request)
        except CapReached:
            who.outcomes["refusals"] += 1

    async def die_somehow(self, who: Contender, request: Request, *, fate: float) -> None:
        with suppress(Crash, TimeoutError, DatabaseUnavailable):
            if fate < LOSES_ITS_CONNECTION:
                await self.die(request, how=loses_its_connection)
            elif fate < CANCELLED:
                async with asyncio.timeout(self.random.random() * 0.02):
                    await self.die(request, how=dies_before_the_commit)
            else:
                await self.die(request, how=dies_before_the_commit)
        who.outcomes["deaths"] += 1

    async def die(self, request: Request, *, how: Callable[[AsyncConnection], Awaitable[None]]) -> None:
        async with self.database.transaction() as connection:
            await reserve(connection, request)
            await how(connection)

    async def reserve_and_count(self, who: Contender, request: Request) -> None:
        async with AsyncExitStack() as until_counted:
            async with self.database.transaction() as connection:
                held = await reserve(connection, request)
                await until_counted.enter_async_context(who.gate.closed_to("ending", doing="counting"))
            async with self.database.reading() as connection:
                values = {"user_id": who.user.id, "holds": sorted(HOLDS_SLOT)}
                seen = (await connection.execute(COUNT, values)).one()
        who.largest = max(who.largest, seen.live)
        who.certainly_live_from[held.bot.meeting_id] = seen.at
        who.outcomes["admissions"] += 1
        who.running.append(held.bot)

    async def end_one(self, who: Contender) -> None:
        """One running bot ends, in one of the ways in which bots end."""
        bot = who.running.pop(self.random.randrange(len(who.running)))
        target, source = self.random.choice(ENDINGS)
        async with who.gate.closed_to("counting", doing="ending"), self.database.transaction() as connection:
            assert await move(connection, bot, target, source=source), (target, source, bot)


def largest_overlap(spans: Iterable[tuple[datetime, datetime]]) -> int:
    """The most spans that share an instant; one that ends when another begins does not overlap it."""
    steps = sorted(step for begin, end in spans for step in ((begin, 1), (end, -1)))
    level = largest = 0
    for _, change in steps:
        level += change
        largest = max(largest, level)
    return largest


@pytest.fixture
async def crowd(database_url: str) -> AsyncIterator[Database]:
    """The database with a connection for each client."""
    database = open_database(database_url, pool_size=CLIENTS, lock_timeout_ms=60_000)
    yield database
    await database.close()


async def the_audit_trail(crowd: Database, who: Contender) -> dict[int, list[tuple[str, datetime]]]:
    """The user's meetings, each with the statuses it reached and when."""
    query = text(
        "SELECT t.meeting_id, t.to_status, t.at FROM usher.transitions t JOIN meetings m ON m.id = t.meeting_id"
        " WHERE m.user_id = :user_id ORDER BY t.meeting_id, t.seq"
    )
    trail: dict[int, list[tuple[str, datetime]]] = {}
    async with crowd.transaction() as connection:
        for row in await connection.execute(query, {"user_id": who.user.id}):
            trail.setdefault(row.meeting_id, []).append((row.to_status, row.at))
    return trail


async def admitted(crowd: Database, requests: Iterable[Request]) -> list[Reservation]:
    """What came of these requests when they were made all at once; refusals left out."""

    async def attempt(request: Request) -> Reservation | None:
        try:
            async with crowd.transaction() as connection:
                return await reserve(connection, request)
        except (CapReached, ConnectionTaken, DuplicateMeeting):
            return None

    return [held for held in await asyncio.gather(*map(attempt, requests)) if held is not None]


async def test_nobody_ever_holds_more_slots_than_allowed(
    given: Scenario, crowd: Database, record_property: Callable[[str, object], None]
) -> None:
    contenders = [Contender(user=await given.a_user(cap=CAPS[number % len(CAPS)])) for number in range(USERS)]
    race = Race(crowd, contenders)
    await race.run(ATTEMPTS)

    record_property("cap", "users attempts admissions refusals deaths largest overlap")
    for cap in CAPS:
        mine = [who for who in contenders if who.user.cap == cap]
        total = sum((who.outcomes for who in mine), Counter[str]())
        largest = max(who.largest for who in mine)
        record_property(
            f"{cap:>3}",
            f"{len(mine):>5} {total['attempts']:>8} {total['admissions']:>10} {total['refusals']:>8}"
            f" {total['deaths']:>6} {largest:>15}",
        )
        # Not only never more: it was really reached.
        assert largest == cap

    for who in contenders:
        assert who.largest <= who.user.cap
        trail = await the_audit_trail(crowd, who)
        assert len(trail) == who.outcomes["admissions"], "a refusal or a death left a row, or an admission left none"
        spans = [
            (who.certainly_live_from[meeting_id], story[-1][1])
            for meeting_id, story in trail.items()
            if story[-1][0] in TERMINAL
        ]
        assert largest_overlap(span for span in spans if span[0] < span[1]) <= who.user.cap
        assert await given.slots_held(who.user) == len(who.running)


async def test_when_all_is_quiet_exactly_the_cap_is_admitted(given: Scenario, crowd: Database) -> None:
    contenders = [Contender(user=await given.a_user(cap=cap)) for cap in CAPS]
    await Race(crowd, contenders).run(200)
    for who in contenders:
        left = who.user.cap - len(who.running)
        for _ in range(2):
            held = await admitted(crowd, [a_request(who.user) for _ in range(40)])
            assert len(held) == left
            left = 0
        assert await given.slots_held(who.user) == who.user.cap


async def test_one_connection_id_raced_64_fold_gets_one_reservation(given: Scenario, crowd: Database) -> None:
    user = await given.a_user(cap=5)
    for _ in range(5):
        request = a_request(user)
        held = await admitted(crowd, [request] * CLIENTS)
        assert len(held) == CLIENTS
        assert len({each.bot.meeting_id for each in held}) == 1
        assert sum(each.created for each in held) == 1
    assert await given.slots_held(user) == 5


async def test_one_connection_id_raced_by_two_users_is_one_users(given: Scenario, crowd: Database) -> None:
    users = [await given.a_user(), await given.a_user()]
    for number in range(10):
        requests = [a_request(user, connection_id=f"shared-{number}") for user in users] * (CLIENTS // 2)
        held = await admitted(crowd, requests)
        assert sum(each.created for each in held) == 1
        assert len(held) == CLIENTS // 2
    assert sum([await given.slots_held(user) for user in users]) == 10


async def test_one_meeting_raced_64_fold_gets_one_bot(given: Scenario, crowd: Database) -> None:
    user = await given.a_user(cap=64)
    meeting = a_meeting()
    held = await admitted(crowd, [a_request(user, meeting=meeting) for _ in range(CLIENTS)])
    assert len(held) == 1
    assert await given.slots_held(user) == 1
