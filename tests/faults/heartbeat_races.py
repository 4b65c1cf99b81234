"""Heartbeats against the sweep that would end their bots, both within 5 ms of the cutoff, 100,000 times.

The limits of a handful of rows are set to run out a few milliseconds around one moment. At that moment their bots beat,
as the callback server lets them (together, and by themselves where that did not take them), and a sweep takes the whole
handful. All of it is production's own. Only those races count whose beat and sweep both began within 5 ms of the row's
cutoff; the run goes on until there are enough. Postgres is on this machine, so both read one clock.
"""

import asyncio
import random
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from tests.databases import own_database
from tests.faults.figures import Figure, Scale, at_least, exactly
from tests.scenario import Scenario, speaker_of
from usher_models.db import heartbeats, stale_rules, transitions
from usher_models.db.bots import Bot, bots_by_id
from usher_models.db.engine import Database
from usher_models.db.heartbeats import Heartbeat
from usher_models.db.transitions import Closing
from usher_models.errors import MeetingOver
from usher_models.states import Reason, Source, Status
from usher_operator.callbacks.heartbeat_batch import HeartbeatBatch

LONG = True
RACES, QUICK_RACES = 100_000, 300
LIMIT_S = 120
NEAR = timedelta(milliseconds=5)
HANDFUL, HANDS, STOCK = 16, 3, 2_000
# From the moment at which the rows are set until their cutoffs: as long as that takes.
LEAD = timedelta(milliseconds=15)

_SET = text("""
UPDATE usher.heartbeats h SET at = g.cutoff - make_interval(secs => :limit)
FROM unnest(CAST(:ids AS integer[]), CAST(:cutoffs AS timestamptz[])) AS g (id, cutoff) WHERE h.meeting_id = g.id
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


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """When a heartbeat was sent that brought the answer, and whether it was accepted."""

    at: datetime
    accepted: bool


async def run(scale: Scale) -> list[Figure]:
    """Race until enough races were near enough."""
    wanted = QUICK_RACES if scale.quick else RACES
    tally = Tally(dice=random.Random(scale.seed))
    async with own_database(pool_size=4 + HANDS * (HANDFUL + 2)) as (database, _):
        while tally.near < wanted:
            await _round(database, tally, wanted=wanted)
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


async def _round(database: Database, tally: Tally, *, wanted: int) -> None:
    """Race with bots of a new stock until those that lost are too many, or there were enough races."""
    given = Scenario(database)
    await given.execute("TRUNCATE meetings, meeting_sessions, usher.bots, usher.heartbeats, usher.transitions CASCADE")
    bots = deque(await given.copies_of(await given.a_bot().starting().active(), STOCK))
    async with asyncio.TaskGroup() as group:
        for _ in range(HANDS):
            group.create_task(_hand(database, bots, tally, wanted=wanted))


async def _hand(database: Database, bots: deque[Bot], tally: Tally, *, wanted: int) -> None:
    batch = HeartbeatBatch(database)
    while len(bots) >= HANDFUL and tally.near < wanted:
        some = [bots.popleft() for _ in range(HANDFUL)]
        bots.extend(await _race(database, batch, some, tally))


async def _race(database: Database, batch: HeartbeatBatch, bots: list[Bot], tally: Tally) -> list[Bot]:
    """The bots that are still alive."""
    dice = tally.dice
    moment = datetime.now(UTC) + LEAD
    cutoffs = [_about(moment, dice, -3, 1) for _ in bots]
    async with database.transaction() as connection:
        values = {"ids": [bot.meeting_id for bot in bots], "cutoffs": cutoffs, "limit": LIMIT_S}
        await connection.execute(_SET, values)
    said, (swept_at, failed) = await asyncio.gather(
        _beat_together(database, batch, bots, at=_about(moment, dice, 0, 5)),
        _sweep(database, bots, at=_about(moment, dice, -1, 1)),
    )
    async with database.transaction() as connection:
        now = await bots_by_id(connection, [bot.meeting_id for bot in bots])
    for bot, cutoff, spoken in zip(bots, cutoffs, said, strict=True):
        over = now[bot.meeting_id].status is Status.FAILED
        tally.raced += 1
        tally.near += abs(spoken.at - cutoff) <= NEAR and abs(swept_at - cutoff) <= NEAR
        tally.beats_won += spoken.accepted
        tally.sweeps_won += over
        tally.failed_though_heard += spoken.accepted and (over or bot.meeting_id in failed)
        tally.refused_though_alive += not spoken.accepted and not over
    return [bot for bot in bots if now[bot.meeting_id].live]


def _about(moment: datetime, dice: random.Random, earliest_ms: float, latest_ms: float) -> datetime:
    return moment + timedelta(milliseconds=dice.uniform(earliest_ms, latest_ms))


async def _until(moment: datetime) -> None:
    await asyncio.sleep((moment - datetime.now(UTC)).total_seconds())


async def _beat_together(database: Database, batch: HeartbeatBatch, bots: list[Bot], *, at: datetime) -> list[Spoken]:
    await _until(at)
    return await asyncio.gather(*(_beat(database, batch, bot) for bot in bots))


async def _beat(database: Database, batch: HeartbeatBatch, bot: Bot) -> Spoken:
    at = datetime.now(UTC)
    heartbeat = Heartbeat(connection_id=bot.connection_id, speaker=speaker_of(bot))
    if await batch.record(heartbeat):
        return Spoken(at=at, accepted=True)
    at = datetime.now(UTC)
    try:
        async with database.at_once() as connection:
            await heartbeats.record(connection, heartbeat)
    except MeetingOver:
        return Spoken(at=at, accepted=False)
    return Spoken(at=at, accepted=True)


async def _sweep(database: Database, bots: list[Bot], *, at: datetime) -> tuple[datetime, set[int]]:
    """When the sweep began, and whom it failed."""
    await _until(at)
    condition, values = stale_rules.guard(stale_rules.rule_of(Reason.HEARTBEAT_LOST), limit_s=LIMIT_S, max_credit_s=0)
    began = datetime.now(UTC)
    async with database.transaction() as connection:
        moved = await transitions.close_many(
            connection,
            [Closing(meeting_id=bot.meeting_id, reason="heartbeat_lost") for bot in bots],
            target=Status.FAILED,
            source=Source.RECONCILER,
            guard=condition,
            guard_values=values,
        )
    return began, {one.meeting_id for one in moved}
