"""Statements over many rows lock them in one order, whatever the order they are given in: none ends in a deadlock."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.databases import open_database
from tests.scenario import Scenario
from usher_models.db import bots, desired_state, object_deletions, status_writes
from usher_models.db.bots import Bot
from usher_models.db.engine import Database

pytestmark = pytest.mark.timeout(120)

MANY, AT_ONCE, ROUNDS = 200, 8, 5

Act = Callable[[AsyncConnection, Sequence[Bot]], Coroutine[Any, Any, object]]


def _ids(some: Sequence[Bot]) -> list[int]:
    return [bot.meeting_id for bot in some]


ACTS: dict[str, Act] = {
    "written": lambda connection, some: status_writes.mark_written(connection, some),
    "failed": lambda connection, some: status_writes.mark_failed(connection, [(bot, False) for bot in some]),
    "put off": lambda connection, some: object_deletions.put_off(connection, _ids(some)),
    "jobs created": lambda connection, some: bots.mark_jobs_created(connection, _ids(some)),
    "leave": lambda connection, some: desired_state.want_leave(connection, _ids(some), reason="stopped"),
}


@pytest.mark.parametrize("first", ACTS)
async def test_shuffled_updates_of_many_bots_never_deadlock(given: Scenario, database_url: str, first: str) -> None:
    dice = random.Random(7)
    made = await given.copies_of(await given.a_bot().starting(), MANY)
    database = open_database(database_url, pool_size=AT_ONCE, lock_timeout_ms=60_000)
    for _ in range(ROUNDS):
        # As if nothing of it had been done: each round writes every row.
        await given.execute("UPDATE usher.bots SET job_created_at = NULL, desired = 'run', leave_requested_at = NULL")
        acts = [ACTS[first], *dice.choices(list(ACTS.values()), k=AT_ONCE - 1)]
        await asyncio.gather(*(_shuffled(database, act, made, dice) for act in acts))
    await database.close()


async def _shuffled(database: Database, act: Act, made: Sequence[Bot], dice: random.Random) -> None:
    some = list(made)
    dice.shuffle(some)
    async with database.at_once() as connection:
        await act(connection, some)
