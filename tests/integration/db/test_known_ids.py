"""A database whose ids are behind those that a process saw gives out none, and says that it went back."""

import pytest

from tests.scenario import Scenario, User, a_request
from usher_models.db import epoch
from usher_models.db.known_ids import KnownIds
from usher_models.errors import DatabaseWentBack, ForeignDatabase, IdsBehind
from usher_models.states import Source

pytestmark = [pytest.mark.own_database]


async def reserve(given: Scenario, known_ids: KnownIds, user: User, *, source: Source = Source.OPERATOR) -> int:
    """One more reservation of a process; the id of its meeting."""
    async with known_ids.alarm(given.database), given.database.at_once() as connection:
        reservation = await known_ids.reserve(connection, a_request(user, source=source))
    return reservation.bot.meeting_id


async def rewind_ids(given: Scenario, to: int) -> None:
    await given.execute("SELECT setval(usher.meeting_id_sequence(), :to)", to=to)


async def rewinds(given: Scenario) -> int:
    return int(await given.scalar("SELECT count(*) FROM usher.rewinds WHERE adopted_at IS NULL"))


async def test_ids_that_are_behind_are_raised_and_the_rewind_is_noted(given: Scenario) -> None:
    user, known_ids = await given.a_user(cap=100), KnownIds()
    first = await reserve(given, known_ids, user)
    known_ids.note(first + 500)
    with pytest.raises(IdsBehind, match="behind those that were given out"):
        await reserve(given, known_ids, user)
    assert await given.slots_held(user) == 1
    assert await rewinds(given) == 1
    assert await reserve(given, known_ids, user) > first + 500


async def test_the_rest_api_then_waits_for_the_bots_that_are_put_back(given: Scenario) -> None:
    user, known_ids = await given.a_user(cap=100), KnownIds()
    known_ids.note(await reserve(given, known_ids, user) + 1)
    for _ in range(2):
        with pytest.raises(DatabaseWentBack, match="Try again"):
            await reserve(given, known_ids, user, source=Source.API)
    async with given.database.at_once() as connection:
        await epoch.finish_rewind(connection)
    await reserve(given, known_ids, user, source=Source.API)


async def test_another_installation_s_database_gets_no_reservation_and_no_note(given: Scenario) -> None:
    user, known_ids = await given.a_user(cap=100), KnownIds()
    await reserve(given, known_ids, user)
    await given.execute("UPDATE usher.installation SET id = gen_random_uuid()")
    await rewind_ids(given, 1)
    known_ids.note(10_000)
    with pytest.raises(ForeignDatabase, match="another Usher installation"):
        await reserve(given, known_ids, user)
    assert await rewinds(given) == 0
    assert await given.slots_held(user) == 1


async def test_ids_that_sessions_keep_for_themselves_are_not_behind(given: Scenario) -> None:
    user, processes = await given.a_user(cap=100), [KnownIds() for _ in range(3)]
    name = await given.scalar("SELECT usher.meeting_id_sequence()::text")
    await given.execute(f"ALTER SEQUENCE {name} CACHE 20")
    ids = set()
    for _ in range(5):
        for known_ids in processes:
            ids.add(await reserve(given, known_ids, user))
            for each in processes:
                each.note(max(ids))
    assert len(ids) == 15
    assert await rewinds(given) == 0


async def test_a_reservation_that_is_known_is_found_again_whatever_the_ids_say(given: Scenario) -> None:
    user, known_ids = await given.a_user(cap=100), KnownIds()
    request = a_request(user)
    async with given.database.at_once() as connection:
        first = await known_ids.reserve(connection, request)
    known_ids.note(first.bot.meeting_id + 7)
    async with given.database.at_once() as connection:
        again = await known_ids.reserve(connection, request)
    assert (again.bot.meeting_id, again.created) == (first.bot.meeting_id, False)
