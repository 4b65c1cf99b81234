"""A heartbeat against the sweep that would end its bot, both within 5 ms of the cutoff, 100,000 times.

Rows are set so that their limits run out a few milliseconds apart; as each does, its bot beats on one connection while
a sweep takes the whole handful on another. Both are the production functions. Only those races count whose beat and
sweep both happened within 5 ms of the cutoff by the database's clock; the run goes on until there are enough.
"""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import text

from tests.databases import own_database
from tests.faults.figures import Figure, Scale, at_least, exactly
from tests.scenario import Scenario
from usher_models.db import heartbeats, meetings, staleness, transitions
from usher_models.db.engine import Database
from usher_models.db.heartbeats import Beat
from usher_models.db.meetings import Bot
from usher_models.db.transitions import Closing
from usher_models.errors import MeetingOver
from usher_models.states import Source, Status

RACES, QUICK_RACES = 100_000, 300
LIMIT_S = 120
NEAR = timedelta(milliseconds=5)
HANDFUL, HANDS, STOCK = 8, 2, 1_000
LEAD_S = 0.012

_SET = text("""
UPDATE usher.heartbeats h SET at = clock_timestamp() + make_interval(secs => g.due - :limit)
FROM unnest(CAST(:ids AS integer[]), CAST(:dues AS float8[])) AS g (id, due) WHERE h.meeting_id = g.id
RETURNING h.meeting_id, h.at + make_interval(secs => :limit) AS cutoff
""")


@dataclass(kw_only=True)
class Tally:
    """What came of the races."""

    near: int = 0
    raced: int = 0
    beats_won: int = 0
    sweeps_won: int = 0
    failed_though_heard: int = 0
    refused_though_alive: int = 0
    dice: random.Random = field(default_factory=lambda: random.Random(1))


async def run(scale: Scale) -> list[Figure]:
    """Race until enough races were near enough."""
    wanted = QUICK_RACES if scale.quick else RACES
    tally = Tally(dice=random.Random(scale.seed))
    async with own_database(pool_size=4 + HANDS * (HANDFUL + 2)) as (database, _):
        while tally.near < wanted:
            await _round(database, tally)
            scale.say(
                f"{tally.near} of {wanted} races, {tally.beats_won} beats and {tally.sweeps_won} sweeps came first"
            )
    return [
        at_least("races within 5 ms of the cutoff", tally.near, wanted),
        exactly("rows failed that had a heartbeat accepted", tally.failed_though_heard, 0),
        exactly("heartbeats refused whose row lives", tally.refused_though_alive, 0),
        at_least("share of races that the rarer winner won", _rarer(tally), 0.02),
    ]


def _rarer(tally: Tally) -> float:
    return round(min(tally.beats_won, tally.sweeps_won) / tally.raced, 3)


async def _round(database: Database, tally: Tally) -> None:
    given = Scenario(database)
    await given.execute("TRUNCATE meetings, meeting_sessions, usher.bots, usher.heartbeats, usher.transitions CASCADE")
    bots = iter(await given.copies_of(await given.a_bot().starting().active(), STOCK))
    async with asyncio.TaskGroup() as group:
        for _ in range(HANDS):
            group.create_task(_hand(database, bots, tally))


async def _hand(database: Database, bots: Iterator[Bot], tally: Tally) -> None:
    while some := [bot for _, bot in zip(range(HANDFUL), bots, strict=False)]:
        await _race(database, some, tally)


async def _race(database: Database, bots: list[Bot], tally: Tally) -> None:
    dues = [LEAD_S + tally.dice.uniform(-0.004, 0.004) for _ in bots]
    cutoffs = await _aim(database, bots, dues)
    sweep = asyncio.create_task(_sweep(database, bots, after_s=LEAD_S + tally.dice.uniform(-0.002, 0.005)))
    beats = await asyncio.gather(*(_beat(database, bot, after_s=due) for bot, due in zip(bots, dues, strict=True)))
    swept_at, failed = await sweep
    async with database.transaction() as connection:
        now = await meetings.bots_by_id(connection, [bot.meeting_id for bot in bots])
    for bot, (beat_at, heard) in zip(bots, beats, strict=True):
        cutoff = cutoffs[bot.meeting_id]
        over = now[bot.meeting_id].status is Status.FAILED
        tally.raced += 1
        tally.near += abs(beat_at - cutoff) <= NEAR and abs(swept_at - cutoff) <= NEAR
        tally.beats_won += heard
        tally.sweeps_won += over
        tally.failed_though_heard += heard and (over or bot.meeting_id in failed)
        tally.refused_though_alive += not heard and not over


async def _aim(database: Database, bots: list[Bot], dues: list[float]) -> dict[int, datetime]:
    values = {"ids": [bot.meeting_id for bot in bots], "dues": dues, "limit": LIMIT_S}
    async with database.transaction() as connection:
        return {row.meeting_id: row.cutoff for row in await connection.execute(_SET, values)}


async def _beat(database: Database, bot: Bot, *, after_s: float) -> tuple[datetime, bool]:
    """When the heartbeat happened by the database's clock, and whether it was accepted."""
    await asyncio.sleep(after_s)
    heard = True
    # A refusal wrote nothing, and is no reason to roll back, after which everything would be prepared anew.
    async with database.transaction() as connection:
        at: datetime = (await connection.execute(text("SELECT now()"))).scalar_one()
        try:
            await heartbeats.beat(connection, Beat(connection_id=bot.connection_id, pod_uid=bot.pod_uid))
        except MeetingOver:
            heard = False
    return at, heard


async def _sweep(database: Database, bots: list[Bot], *, after_s: float) -> tuple[datetime, set[int]]:
    await asyncio.sleep(after_s)
    condition, values = staleness.guard(staleness.HEARTBEAT_LOST, limit_s=LIMIT_S, max_credit_s=0)
    async with database.transaction() as connection:
        at: datetime = (await connection.execute(text("SELECT now()"))).scalar_one()
        moved = await transitions.close_many(
            connection,
            [Closing(meeting_id=bot.meeting_id, reason="heartbeat_lost") for bot in bots],
            target=Status.FAILED,
            source=Source.RECONCILER,
            guard=condition,
            guard_values=values,
        )
    return at, {one.meeting_id for one in moved}
