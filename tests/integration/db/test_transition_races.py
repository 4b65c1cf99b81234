"""Everybody speaks about the same meetings at once; each ends once, with a whole story and without a deadlock.

A deadlock, a lost connection or a lock timeout would come as DatabaseUnavailable, and nothing here expects that.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial

import pytest

from tests.databases import open_database
from tests.scenario import Scenario, heartbeat_of, move, speaker_of
from usher_models.db import heartbeats
from usher_models.db.bots import Bot
from usher_models.db.engine import Database
from usher_models.db.transitions import Applied, Closing, Report, close_many, report
from usher_models.errors import CallbackRejected
from usher_models.states import TERMINAL, Source, Stage, Status

CLIENTS = 32
BOTS = 40

pytestmark = [pytest.mark.own_database, pytest.mark.timeout(120)]

Act = Callable[[], Awaitable[None]]


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Database]:
    database = open_database(database_url, pool_size=CLIENTS, lock_timeout_ms=60_000)
    yield database
    await database.close()


async def all_at_once(acts: list[Act]) -> None:
    """Do it all, `CLIENTS` at a time; the first failure ends it."""
    todo = iter(acts)

    async def client() -> None:
        for act in todo:
            await act()

    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(client())


class Writers:
    """Those who may report something about a meeting."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.changes: Counter[int] = Counter()

    async def tell(self, bot: Bot, target: Status, *, pod_uid: str | None = None, event_id: str | None = None) -> None:
        what = Report(
            connection_id=bot.connection_id,
            target=target,
            reason="told",
            speaker=speaker_of(bot, pod_uid=pod_uid),
            event_id=event_id,
        )
        applied: Applied | None = None
        with suppress(CallbackRejected):
            async with self.database.at_once() as connection:
                applied = await report(connection, what)
        self.changes[bot.meeting_id] += applied is not None and applied.applied

    async def beat(self, bot: Bot) -> None:
        with suppress(CallbackRejected):
            async with self.database.transaction() as connection:
                await heartbeats.record(connection, heartbeat_of(bot))
        async with self.database.transaction() as connection:
            await heartbeats.record_details(
                connection, bot.connection_id, speaker=speaker_of(bot), stage=Stage.IN_MEETING, participants=3
            )

    async def sweep(self, bots: list[Bot], *, source: Source) -> None:
        closings = [Closing(meeting_id=bot.meeting_id, reason="swept") for bot in bots]
        async with self.database.transaction() as connection:
            moved = await close_many(connection, closings, target=Status.FAILED, source=source)
        self.changes.update(one.meeting_id for one in moved)

    async def end(self, bot: Bot, *, source: Source) -> None:
        async with self.database.transaction() as connection:
            moved = await move(connection, bot, Status.COMPLETED, source=source)
        self.changes[bot.meeting_id] += moved


async def the_story_is_whole(given: Scenario, bot: Bot, *, changes: int) -> None:
    story = await given.story(bot)
    now = await given.fresh(bot)
    assert [line.seq for line in story] == list(range(1, len(story) + 1))
    assert [line.origin for line in story[1:]] == [line.target for line in story[:-1]]
    assert [line.target for line in story if line.target in TERMINAL] == [now.status]
    assert story[-1].target == now.status
    assert sum(line.origin != line.target for line in story) == changes + 1


async def test_whatever_is_said_at_once_each_meeting_ends_once_with_a_whole_story(
    given: Scenario, pool: Database, record_property: Callable[[str, object], None]
) -> None:
    writers = Writers(pool)
    bots = await given.copies_of(await given.a_bot(), BOTS)
    said: list[Act] = []
    for bot in bots:
        for target in (Status.STARTING, Status.ACTIVE, Status.STOPPING, Status.COMPLETED, Status.FAILED):
            said += [partial(writers.tell, bot, target, event_id=f"{bot.meeting_id}-{target}")] * 2
            said.append(partial(writers.tell, bot, target))
        said.append(partial(writers.tell, bot, Status.ACTIVE, pod_uid="another"))
        said += [partial(writers.beat, bot)] * 4
        said.append(partial(writers.end, bot, source=Source.OPERATOR))
    # Close to each other in time, but in no order.
    generator = random.Random(7)
    said = [act for _, act in sorted(enumerate(said), key=lambda item: item[0] + generator.random() * 80)]
    for at in range(0, len(said), 80):
        few = generator.sample(bots, 3)
        said.insert(at, partial(writers.sweep, few, source=Source.RECONCILER))
        said.insert(at, partial(writers.sweep, few[::-1], source=Source.EVIDENCE))
    await all_at_once(said)
    await all_at_once([partial(writers.tell, bot, Status.COMPLETED) for bot in bots])
    for bot in bots:
        await the_story_is_whole(given, bot, changes=writers.changes[bot.meeting_id])
    query = "SELECT count(*) FROM usher.heartbeats h JOIN usher.bots b USING (meeting_id) WHERE b.ended_at IS NOT NULL"
    assert await given.scalar(query) == 0
    sources = await given.scalar(
        "SELECT string_agg(source || ' ' || count, ', ' ORDER BY source) FROM (SELECT source, count(*)"
        " FROM usher.transitions WHERE to_status IN ('completed', 'failed') GROUP BY source) s"
    )
    record_property("meetings", BOTS)
    record_property("statements raced", len(said))
    record_property("who ended them", sources)


async def test_one_move_told_64_fold_is_made_once(given: Scenario, pool: Database) -> None:
    writers = Writers(pool)
    bot = await given.a_bot()
    for target in (Status.STARTING, Status.ACTIVE, Status.STOPPING, Status.FAILED):
        event_id = f"event-{target}"
        await all_at_once([partial(writers.tell, bot, target, event_id=event_id)] * 64)
    assert writers.changes[bot.meeting_id] == 4
    await the_story_is_whole(given, bot, changes=4)


async def test_one_late_started_told_16_fold_is_noted_once(given: Scenario, pool: Database) -> None:
    writers = Writers(pool)
    bots = await given.copies_of(await given.a_bot().active(), 20)
    said: list[Act] = []
    for bot in bots:
        said += [partial(writers.tell, bot, Status.STARTING, event_id=f"late-{bot.meeting_id}")] * 16
    await all_at_once(said)
    for bot in bots:
        assert [line.reason for line in await given.story(bot)] == ["requested", "joined", "late_started"]


async def test_a_late_started_never_follows_the_end(given: Scenario, pool: Database) -> None:
    writers = Writers(pool)
    bots = await given.copies_of(await given.a_bot().active(), 60)
    said: list[Act] = []
    for bot in bots:
        said.append(partial(writers.sweep, [bot], source=Source.RECONCILER))
        said.append(partial(writers.tell, bot, Status.STARTING, event_id=f"late-{bot.meeting_id}"))
    await all_at_once(said)
    await all_at_once([partial(writers.tell, bot, Status.FAILED) for bot in bots])
    for bot in bots:
        await the_story_is_whole(given, bot, changes=2)


async def test_two_pods_that_start_at_once_do_not_both_speak(given: Scenario, pool: Database) -> None:
    bots = await given.copies_of(await given.a_bot(), 60)
    answers: Counter[int] = Counter()

    async def start(bot: Bot, pod_uid: str) -> None:
        speaker = speaker_of(bot, pod_uid=pod_uid)
        what = Report(connection_id=bot.connection_id, target=Status.STARTING, reason="started", speaker=speaker)
        async with pool.at_once() as connection:
            await report(connection, what)
        answers[bot.meeting_id] += 1

    async def try_to_start(bot: Bot, pod_uid: str) -> None:
        with suppress(CallbackRejected):
            await start(bot, pod_uid)

    await all_at_once([partial(try_to_start, bot, pod) for bot in bots for pod in ("pod-1", "pod-2", "pod-3")])
    assert {answers[bot.meeting_id] for bot in bots} == {1}


async def test_two_pods_that_beat_at_once_do_not_both_live(given: Scenario, pool: Database) -> None:
    bots = await given.copies_of(await given.a_bot(), 60)
    answers: Counter[int] = Counter()

    async def beat(bot: Bot, pod_uid: str) -> None:
        with suppress(CallbackRejected):
            async with pool.transaction() as connection:
                await heartbeats.record(connection, heartbeat_of(bot, pod_uid=pod_uid))
            answers[bot.meeting_id] += 1

    await all_at_once([partial(beat, bot, pod) for bot in bots for pod in ("pod-1", "pod-2", "pod-3")])
    assert {answers[bot.meeting_id] for bot in bots} == {1}


async def test_two_sweeps_end_each_meeting_once(given: Scenario, pool: Database) -> None:
    writers = Writers(pool)
    bots = await given.copies_of(await given.a_bot().active(), 200)
    orders = [bots, bots[::-1], bots[100:] + bots[:100], bots]
    await all_at_once([partial(writers.sweep, order, source=Source.RECONCILER) for order in orders])
    await writers.sweep(bots, source=Source.RECONCILER)
    assert {writers.changes[bot.meeting_id] for bot in bots} == {1}
