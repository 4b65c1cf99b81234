"""`usher adopt-legacy` on a real database: it ends what the operator confirms, and nothing else."""

import json

import pytest

from tests.integration.operator.cli.conftest import Usher
from tests.scenario import Scenario
from usher_models.db import users

IDLE = "UPDATE meetings SET created_at = created_at - interval '2 hours', updated_at = NULL"


@pytest.mark.parametrize("status", ["requested", "joining", "awaiting_admission", "active", "stopping", "needs_help"])
async def test_live_rows_of_an_older_deployment_are_listed_and_ended(
    given: Scenario, usher: Usher, status: str
) -> None:
    user = await given.a_user(cap=1)
    meeting_id = await given.a_legacy_meeting(user, status=status)
    await given.execute(IDLE)
    assert "1 meetings hold slots" in await usher("adopt-legacy")
    assert await given.slots_held(user) == 1, "a dry run writes nothing"
    assert "Ended 1 meetings as failed." in await usher("adopt-legacy", "--apply")
    assert await given.slots_held(user) == 0
    row = await given.scalar("SELECT data FROM meetings WHERE id = :id", id=meeting_id)
    assert row["left"] == "behind"
    (line,) = row["status_transition"]
    assert (line["from"], line["to"], line["reason"]) == (status, "failed", "ended_at_adoption")
    assert row["failure_stage"] in ("requested", "joining", "awaiting_admission", "active")
    assert "is left that had no update for 3600 s" in await usher("adopt-legacy")


async def test_the_check_counts_every_row_that_holds_a_slot_and_names_users_without_bots(
    given: Scenario, usher: Usher
) -> None:
    user = await given.a_user(cap=0)
    for status in ("requested", "joining", "awaiting_admission", "active", "Active", "stopping", "needs_help"):
        await given.a_legacy_meeting(user, status=status)
    await given.a_legacy_meeting(user, status="completed")
    await given.a_bot(await given.a_user()).active()
    said = await usher("db", "check")
    assert "7 live rows of an older deployment count against their users' limits; usher adopt-legacy shows them" in said
    assert (
        f"1 users have the limit 0 and may have no bot; some versions of Vexa took it for unlimited ({user.email})."
        in said
    )


async def test_a_live_row_is_ended_however_it_is_spelled(given: Scenario, usher: Usher) -> None:
    user = await given.a_user()
    await given.a_legacy_meeting(user, status=" Active ")
    await given.execute(IDLE)
    assert "has 1 live meetings" in await usher("user", "remove", user.email, "--with-meetings", code=1)
    assert "1 live rows of an older deployment" in await usher("db", "check")
    assert "Ended 1 meetings as failed." in await usher("adopt-legacy", "--apply")


async def test_what_usher_owns_what_is_over_and_what_was_updated_lately_is_left_alone(
    given: Scenario, usher: Usher
) -> None:
    user = await given.a_user(cap=9)
    own = await given.a_bot(user).active()
    ended = await given.a_legacy_meeting(user, status="completed")
    await given.execute(IDLE)
    fresh = await given.a_legacy_meeting(user, status="active")
    await given.execute("UPDATE meetings SET updated_at = now() AT TIME ZONE 'utc' WHERE id = :id", id=fresh)
    assert "Ended 0 meetings" in await usher("adopt-legacy", "--apply")
    assert [each["id"] for each in json.loads(await usher("adopt-legacy", "--idle", "0s", "--json"))] == [fresh]
    statuses = {(await given.scalar("SELECT status FROM meetings WHERE id = :id", id=each)) for each in (ended, fresh)}
    assert statuses == {"completed", "active"}
    assert (await given.fresh(own)).live


async def test_one_meeting_can_be_chosen(given: Scenario, usher: Usher) -> None:
    user = await given.a_user(cap=9)
    first, _second = [await given.a_legacy_meeting(user, status="joining") for _ in range(2)]
    await given.execute(IDLE)
    assert "Ended 1 meetings" in await usher("adopt-legacy", "--apply", "--meeting", str(first))
    assert await given.slots_held(user) == 1


async def test_a_user_is_removed_with_keys_and_meetings_but_never_with_a_live_bot(
    given: Scenario, usher: Usher
) -> None:
    user = await given.a_user(cap=2)
    await usher("token", "create", user.email)
    live = await given.a_bot(user).active()
    assert "has 1 live meetings" in await usher("user", "remove", user.email, "--with-meetings", code=1)
    await given.execute("UPDATE meetings SET status = 'completed' WHERE id = :id", id=live.meeting_id)
    assert "--with-meetings deletes them too" in await usher("user", "remove", user.email, code=1)
    assert "1 keys and 1 meetings" in await usher("user", "remove", user.email, "--with-meetings")
    assert f"No user has the email {user.email}." in await usher("user", "remove", user.email, code=1)
    async with given.database.reading() as connection:
        assert await users.users(connection, limit=9) == []
    assert await given.scalar("SELECT count(*) FROM usher.bots") == 0
