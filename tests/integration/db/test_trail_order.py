"""The times of the audit trail are in the order of its commits, so the cap can be proved from the trail alone."""

import asyncio
from datetime import datetime

from sqlalchemy import text

from tests.databases import open_database
from tests.scenario import Scenario, User, a_request, move
from usher_models.db.bots import Bot
from usher_models.db.engine import Database
from usher_models.db.reservations import reserve
from usher_models.errors import CapReached
from usher_models.states import Source, Status

CAP, CLIENTS, ROUNDS = 3, 8, 12


async def moment_of(given: Scenario, bot: Bot, target: Status) -> datetime:
    return next(step.at for step in await given.story(bot) if step.target == target)


async def test_a_slot_is_shown_as_taken_after_it_was_shown_as_free(given: Scenario) -> None:
    user = await given.a_user(cap=1)
    before = await given.a_bot(user)
    async with given.database.at_once() as waiting:
        # The transaction has begun, and its `now()` is from before the slot is free.
        await waiting.execute(text("BEGIN"))
        await waiting.execute(text("SELECT now()"))
        await given.ends(before)
        after = (await reserve(waiting, a_request(user))).bot
        await waiting.execute(text("COMMIT"))
    assert await moment_of(given, before, Status.COMPLETED) < await moment_of(given, after, Status.RESERVED)


async def test_the_steps_of_one_meeting_are_in_the_order_of_their_times(given: Scenario) -> None:
    bot = await given.a_bot()
    async with given.database.transaction() as connection:
        await connection.execute(text("SELECT now()"))
        async with given.database.transaction() as other:
            await move(other, bot, Status.STARTING, source=Source.BOT)
        await move(connection, bot, Status.ACTIVE, source=Source.BOT)
    times = [step.at for step in await given.story(bot)]
    assert times == sorted(times)
    assert (await given.fresh(bot)).status_changed_at == times[-1]


async def test_the_trail_of_many_clients_never_shows_more_than_the_cap(given: Scenario, database_url: str) -> None:
    user = await given.a_user(cap=CAP)
    database = open_database(database_url, pool_size=CLIENTS)
    try:
        await asyncio.gather(*(client(given, database, user) for _ in range(CLIENTS)))
    finally:
        await database.close()
    changes = await given.scalar("SELECT count(*) FROM usher.transitions WHERE to_status = 'reserved'")
    assert changes > CAP
    assert await most_at_once(given) == CAP


async def client(given: Scenario, database: Database, user: User) -> None:
    """Hold a slot again and again, for no time at all."""
    for _ in range(ROUNDS):
        try:
            async with database.at_once() as connection:
                bot = (await reserve(connection, a_request(user))).bot
        except CapReached:
            await asyncio.sleep(0)
            continue
        async with database.at_once() as connection:
            await move(connection, bot, Status.COMPLETED, source=Source.BOT)


async def most_at_once(given: Scenario) -> int:
    """The most slots that the trail shows as held at once; an end and a start at one instant do not overlap."""
    return int(
        await given.scalar("""
        SELECT max(held) FROM (
            SELECT sum(change) OVER (ORDER BY at, change) AS held FROM (
                SELECT at, CASE to_status WHEN 'reserved' THEN 1 ELSE -1 END AS change
                FROM usher.transitions WHERE to_status IN ('reserved', 'completed', 'failed')
            ) AS changes
        ) AS sums
        """)
    )
