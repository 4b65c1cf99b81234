"""What Usher keeps of old meetings is deleted, in batches; live meetings and Vexa's tables never are."""

from tests.scenario import TABLES, Scenario
from usher_models.db import retention
from usher_models.db.bots import Bot

DAY_S = 86_400
KEEP_S = 90 * DAY_S


async def deleted(given: Scenario, *, limit: int = 100) -> int:
    async with given.database.transaction() as connection:
        return await retention.delete_history(connection, keep_s=KEEP_S, limit=limit)


async def rows_of(given: Scenario, bot: Bot) -> dict[str, int]:
    """How many rows of Usher's each table has for that meeting."""
    tables = ("usher.bots", "usher.transitions", "usher.heartbeats", "usher.webhook_deliveries")
    query = "SELECT count(*) FROM {} WHERE meeting_id = :id"
    return {table: int(await given.scalar(query.format(table), id=bot.meeting_id)) for table in tables}


async def test_what_ended_long_ago_is_deleted_and_what_ended_lately_is_kept(given: Scenario) -> None:
    old = await given.a_bot().active().completed().written().waited(KEEP_S + 60)
    young = await given.a_bot().active().completed().written().waited(KEEP_S - 60)
    assert await deleted(given) == 1
    assert sum((await rows_of(given, old)).values()) == 0
    kept = await rows_of(given, young)
    assert (kept["usher.bots"], kept["usher.transitions"]) == (1, 3)


async def test_a_live_meeting_is_never_deleted_however_old(given: Scenario) -> None:
    await given.a_bot().active().written().waited(10 * KEEP_S)
    before = await given.everything()
    assert await deleted(given) == 0
    assert await given.everything() == before


async def test_the_tables_of_vexa_are_never_touched(given: Scenario) -> None:
    await given.a_bot().active().completed().written().waited(KEEP_S + 60)
    before = await given.everything()
    assert await deleted(given) == 1
    after = await given.everything()
    vexa = [table for table in TABLES if not table.startswith("usher.")]
    assert {table: after[table] for table in vexa} == {table: before[table] for table in vexa}


async def test_an_end_that_is_not_shown_yet_is_kept_twice_as_long(given: Scenario) -> None:
    await given.a_bot().active().completed().waited(KEEP_S + 60)
    assert await deleted(given) == 0
    await given.a_bot().active().completed().waited(2 * KEEP_S + 60)
    assert await deleted(given) == 1


async def test_what_waits_for_its_webhook_is_kept(given: Scenario) -> None:
    user = await given.a_user()
    await given.execute(
        'UPDATE users SET data = \'{"webhook_url": "https://example.org/hook"}\' WHERE id = :id', id=user.id
    )
    bot = await given.a_bot(user).active().completed().written().waited(KEEP_S + 60)
    assert await deleted(given) == 0
    await given.execute(
        "UPDATE usher.webhook_deliveries SET state = 'failed' WHERE meeting_id = :id", id=bot.meeting_id
    )
    assert await deleted(given) == 1
    assert sum((await rows_of(given, bot)).values()) == 0


async def test_old_meetings_are_deleted_in_batches(given: Scenario) -> None:
    old = await given.a_bot().active().completed().written().waited(KEEP_S + 60)
    await given.copies_of(old, 4)
    assert [await deleted(given, limit=2) for _ in range(4)] == [2, 2, 1, 0]
