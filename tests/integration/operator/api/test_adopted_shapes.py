"""Rows that other programs and people left behind, in shapes that Usher never writes."""

import pytest

from tests.integration.operator.api.client import Client
from tests.scenario import Scenario, User, a_meeting


@pytest.mark.own_database
@pytest.mark.parametrize("data", [None, '["a"]', '"text"', "7", "null"])
async def test_a_user_with_odd_data_is_readable_and_changeable(
    me: Client, admin: Client, given: Scenario, user: User, data: str | None
) -> None:
    await given.execute("ALTER TABLE users ALTER data DROP NOT NULL")
    await given.execute("UPDATE users SET data = CAST(:data AS jsonb)", data=data)
    assert (await me.get("/user")).body["data"] == {}
    assert [each["data"] for each in (await admin.get("/admin/users")).body] == [{}]
    assert (await me.get("/user/webhook")).code == 200
    assert (await admin.get("/admin/stats/meetings-users")).code == 200
    changed = await me.send("PUT", "/user/webhook", json={"webhook_url": "https://example.org"})
    assert changed.body["data"] == {"webhook_url": "https://example.org"}


@pytest.mark.own_database
async def test_a_meeting_without_a_status_is_readable(me: Client, given: Scenario, user: User) -> None:
    meeting_id = await given.a_legacy_meeting(user, status="completed")
    await given.execute("ALTER TABLE meetings ALTER status DROP NOT NULL")
    await given.execute("UPDATE meetings SET status = NULL")
    for path in ("/meetings", "/bots"):
        (meeting,) = (await me.get(path)).body["meetings"]
        assert (meeting["id"], meeting["status"]) == (meeting_id, "unknown")
    assert (await me.get(f"/meetings/{meeting_id}")).code == 200
    assert (await me.get("/user")).body["used"] == 0


@pytest.mark.parametrize("status", ["Active", "ACTIVE", " joining "])
async def test_a_live_row_holds_a_slot_however_it_is_spelled(
    me: Client, given: Scenario, user: User, status: str
) -> None:
    meetings = [a_meeting() for _ in range(3)]
    for meeting in meetings:
        await given.a_legacy_meeting(user, status=status, meeting=meeting)
    assert (await me.get("/user")).body["used"] == 3
    assert (await me.get("/bots/status")).body["count"] == 3
    duplicate = await me.ask(native_meeting_id=meetings[0].native_id)
    assert (duplicate.code, duplicate.body["code"]) == (409, "duplicate_meeting")
    assert (await me.ask()).code == 429


async def test_an_ended_row_is_over_however_it_is_spelled(me: Client, given: Scenario, user: User) -> None:
    meeting = a_meeting()
    await given.a_legacy_meeting(user, status="Completed", meeting=meeting)
    assert (await me.get("/user")).body["used"] == 0
    assert (await me.send("DELETE", f"/meetings/{meeting.platform}/{meeting.native_id}")).code == 200
