"""Which objects in Kubernetes are due to go, in which order, and what is known to be gone."""

import pytest

from tests.scenario import Scenario
from usher_models.db import object_deletions
from usher_models.db.bots import Bot


async def due(given: Scenario, *, limit: int = 10) -> list[tuple[int, bool]]:
    """Meetings whose objects are due, and whether they are erased."""
    async with given.database.reading() as connection:
        return [(each.meeting_id, each.erase) for each in await object_deletions.due(connection, limit=limit)]


async def pending(given: Scenario, bot: Bot) -> bool:
    async with given.database.reading() as connection:
        return await object_deletions.is_pending(connection, bot.meeting_id)


async def ended(given: Scenario, *, ago: float, ttl_s: int | None = 600, erased: bool = False) -> Bot:
    """A bot that ended, and how long its BotRequest stays."""
    bot = await given.a_bot().active().completed().waited(ago)
    await given.execute(
        "UPDATE usher.bots SET request_ttl_s = :ttl, erase_requested_at = CASE WHEN :erased THEN now() END"
        " WHERE meeting_id = :id",
        ttl=ttl_s,
        erased=erased,
        id=bot.meeting_id,
    )
    return bot


@pytest.mark.parametrize(
    ("past", "is_due"),
    [
        ({"ago": 599}, False),
        ({"ago": 601}, True),
        ({"ago": 10_000, "ttl_s": None}, False),
        ({"ago": 0, "erased": True}, True),
        ({"ago": 0, "ttl_s": None, "erased": True}, True),
    ],
)
async def test_objects_go_when_their_time_is_up_or_at_once_if_they_are_erased(
    given: Scenario, past: dict[str, float], is_due: bool
) -> None:
    bot = await ended(given, **past)  # type: ignore[arg-type]
    assert await due(given) == ([(bot.meeting_id, bool(past.get("erased")))] if is_due else [])


async def test_the_objects_of_a_live_bot_are_never_due(given: Scenario) -> None:
    await given.a_bot().active().waited(10_000)
    await given.execute("UPDATE usher.bots SET request_ttl_s = 1, erase_requested_at = now()")
    assert await due(given) == []


async def test_erasures_come_first_and_then_what_ended_first(given: Scenario) -> None:
    late, early = await ended(given, ago=700), await ended(given, ago=800)
    erased = await ended(given, ago=0, erased=True)
    found = [(erased.meeting_id, True), (early.meeting_id, False), (late.meeting_id, False)]
    assert await due(given) == found
    assert await due(given, limit=2) == found[:2]


async def test_what_is_deleted_or_put_off_is_not_due(given: Scenario) -> None:
    deleted, put_off, left = [await ended(given, ago=700 + each) for each in range(3)]
    async with given.database.transaction() as connection:
        await object_deletions.mark_deleted(connection, [deleted.meeting_id])
        await object_deletions.put_off(connection, [put_off.meeting_id])
    assert await due(given) == [(left.meeting_id, False)]
    await given.execute("UPDATE usher.bots SET delete_after = delete_after - interval '61 seconds'")
    assert sorted(await due(given)) == [(put_off.meeting_id, False), (left.meeting_id, False)]


async def test_a_meeting_is_pending_until_its_objects_are_deleted(given: Scenario) -> None:
    bot, other = await ended(given, ago=0, erased=True), await ended(given, ago=0)
    assert await pending(given, bot)
    async with given.database.transaction() as connection:
        await object_deletions.mark_deleted(connection, [bot.meeting_id])
    assert not await pending(given, bot)
    assert await pending(given, other)
    await given.execute("UPDATE usher.bots SET request_name = NULL")
    assert not await pending(given, other)
