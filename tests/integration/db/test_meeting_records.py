"""What is read of a meeting for people: how far a failed one came, and whose it is."""

import pytest

from tests.scenario import Scenario, a_meeting
from usher_models.db import meeting_search, meetings
from usher_models.db.meetings import Record
from usher_models.errors import NotFound


async def record(given: Scenario, meeting_id: int) -> Record:
    async with given.database.reading() as connection:
        (found,) = await meeting_search.by_ids(connection, [meeting_id])
    return found


async def test_only_a_failed_meeting_says_how_far_it_came(given: Scenario) -> None:
    failed = await given.a_bot().starting().active().failed()
    early = await given.a_bot().starting().failed()
    completed = await given.a_bot().starting().active().completed()
    live = await given.a_bot().starting().active()
    reached = [(await record(given, bot.meeting_id)).last_status for bot in (failed, early, completed, live)]
    assert reached == ["active", "starting", None, None]


async def test_a_row_of_another_program_is_not_owned(given: Scenario) -> None:
    bot = await given.a_bot()
    legacy = await given.a_legacy_meeting(await given.a_user(), status="failed")
    assert (await record(given, bot.meeting_id)).owned
    found = await record(given, legacy)
    assert (found.owned, found.last_status, found.reason) == (False, None, None)


async def test_the_meetings_that_hold_a_slot_are_told_by_platform(given: Scenario) -> None:
    user = await given.a_user()
    zoom = await given.a_bot(user, meeting=a_meeting("zoom")).starting()
    jitsi = await given.a_bot(user, meeting=a_meeting("jitsi"))
    await given.a_bot(user).active().completed()
    await given.a_bot()

    async def holding(platform: str | None) -> list[int]:
        async with given.database.reading() as connection:
            return [each.id for each in await meetings.holding_slots(connection, user.id, platform=platform)]

    assert await holding(None) == [jitsi.meeting_id, zoom.meeting_id]
    assert await holding("zoom") == [zoom.meeting_id]
    assert await holding("teams") == []


async def test_the_live_meeting_is_the_newest_and_then_the_last_that_ended(given: Scenario) -> None:
    user, where = await given.a_user(), a_meeting("zoom")

    async def newest() -> int:
        async with given.database.reading() as connection:
            return (await meetings.newest(connection, "zoom", where.native_id, user_id=user.id)).id

    await given.a_bot(user, meeting=where).active().completed()
    second = await given.a_bot(user, meeting=where).active().failed()
    assert await newest() == second.meeting_id
    live = await given.a_bot(user, meeting=where)
    await given.a_bot(user, meeting=a_meeting("zoom"))
    await given.a_bot(meeting=where)
    assert await newest() == live.meeting_id


async def test_a_users_meeting_is_nobody_elses(given: Scenario) -> None:
    bot, other = await given.a_bot(), await given.a_user()
    async with given.database.reading() as connection:
        assert (await meetings.meeting(connection, bot.meeting_id, user_id=bot.user_id)).id == bot.meeting_id
        with pytest.raises(NotFound, match=f"You have no meeting {bot.meeting_id}"):
            await meetings.meeting(connection, bot.meeting_id, user_id=other.id)
