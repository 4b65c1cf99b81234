"""Meetings, Usher's own and those of an older deployment."""

import json

import pytest

from tests.integration.operator.api.client import Client
from tests.integration.operator.evidence import collect
from tests.scenario import Scenario, User, a_meeting


async def test_meetings_are_paged_and_filtered(me: Client, given: Scenario, user: User) -> None:
    ended = await given.a_bot(user).starting().completed()
    live = await given.a_bot(user, meeting=a_meeting("teams"))
    await given.a_bot()
    first = await me.get("/meetings", limit=1)
    assert [meeting["id"] for meeting in first.body["meetings"]] == [live.meeting_id]
    assert first.body["has_more"] is True
    second = await me.get("/meetings", limit=1, offset=1)
    assert ([meeting["id"] for meeting in second.body["meetings"]], second.body["has_more"]) == (
        [ended.meeting_id],
        False,
    )
    for query in ({"status": "completed"}, {"platform": "zoom"}, {"native_meeting_id": ended.native_id}):
        assert [meeting["id"] for meeting in (await me.get("/meetings", **query)).body["meetings"]] == [
            ended.meeting_id
        ]
    assert (await me.get("/meetings", limit=101)).code == 422


async def test_an_ended_meeting_says_why(me: Client, given: Scenario, user: User) -> None:
    bot = await given.a_bot(user).starting().failed(reason="exit_code_137")
    body = (await me.get(f"/meetings/{bot.meeting_id}")).body
    assert (body["status"], body["completion_reason"], body["failure_stage"]) == ("failed", "exit_code_137", "starting")
    assert body["message"] == "The bot's process ended with exit code 137."
    assert body["start_time"].endswith("Z")


async def test_the_audit_trail_and_sessions_are_shown(me: Client, given: Scenario, user: User) -> None:
    bot = await given.a_bot(user).starting().active()
    trail = (await me.get(f"/meetings/{bot.meeting_id}/transitions")).body["transitions"]
    assert [(line["from_status"], line["to_status"], line["source"]) for line in trail] == [
        (None, "reserved", "api"),
        ("reserved", "starting", "bot"),
        ("starting", "active", "bot"),
    ]
    sessions = (await me.get(f"/meetings/{bot.meeting_id}/sessions")).body["sessions"]
    assert [session["session_uid"] for session in sessions] == [bot.connection_id]


async def test_a_meeting_of_an_older_deployment_is_readable(me: Client, given: Scenario, user: User) -> None:
    meeting_id = await given.a_legacy_meeting(user, status="failed")
    line = {"from": "joining", "to": "failed", "timestamp": "2025-01-01T00:00:00", "source": "bot_callback", "x": 1}
    data = {"status_transition": [line, "nonsense"], "failure_stage": "joining", "completion_reason": "join_failure"}
    await given.execute("UPDATE meetings SET data = CAST(:data AS jsonb)", data=json.dumps(data))
    body = (await me.get(f"/meetings/{meeting_id}")).body
    assert (body["completion_reason"], body["failure_stage"], body["reason"]) == ("join_failure", "joining", None)
    trail = (await me.get(f"/meetings/{meeting_id}/transitions")).body["transitions"]
    assert trail[0] | {"detail": {"x": 1}} == trail[0]
    assert (len(trail), trail[0]["to_status"], trail[0]["at"]) == (1, "failed", "2025-01-01T00:00:00Z")


async def test_secrets_in_old_rows_are_not_shown(me: Client, given: Scenario, user: User) -> None:
    meeting_id = await given.a_legacy_meeting(user, status="completed")
    await given.execute("""UPDATE meetings SET data = '{"webhook_secret": "s", "name": "n", "passcode": "p"}'""")
    assert (await me.get(f"/meetings/{meeting_id}")).body["data"] == {"name": "n"}


async def test_a_meeting_is_described(me: Client, given: Scenario, user: User) -> None:
    bot = await given.a_bot(user).starting().completed()
    path = f"/meetings/{bot.platform}/{bot.native_id}"
    await me.send("PATCH", path, json={"data": {"name": "Standup", "languages": ["de"]}})
    answer = await me.send("PATCH", path, json={"data": {"notes": "short"}})
    assert answer.code == 200
    assert answer.body["data"] == {"name": "Standup", "languages": ["de"], "notes": "short"}
    assert (await me.send("PATCH", path, json={"data": {}})).code == 422
    assert (await me.send("PATCH", "/meetings/zoom/none", json={"data": {"name": "x"}})).code == 404


async def test_an_ended_meeting_is_forgotten_but_its_trail_stays(me: Client, given: Scenario, user: User) -> None:
    bot = await given.a_bot(user, config={"passcode": "s3cret"}, request_name="meeting-1").starting().completed()
    path = f"/meetings/{bot.platform}/{bot.native_id}"
    answer = await me.send("DELETE", path)
    assert answer.code == 200
    assert answer.body["message"].endswith("What Kubernetes still holds of it is deleted next.")
    assert await given.scalar("SELECT erase_requested_at IS NOT NULL FROM usher.bots")
    assert (await me.send("DELETE", path)).code == 404
    body = (await me.get(f"/meetings/{bot.meeting_id}")).body
    assert (body["status"], body["native_meeting_id"], body["data"]) == ("completed", None, {"redacted": True})
    assert "s3cret" not in str(await given.everything())
    assert len(await given.story(bot)) == 3


async def test_a_meeting_is_described_and_forgotten_by_its_id(me: Client, given: Scenario, user: User) -> None:
    bot = await given.a_bot(user, request_name="meeting-1").starting().completed()
    path = f"/meetings/{bot.meeting_id}"
    described = await me.send("PATCH", path, json={"data": {"notes": "short"}})
    assert (described.code, described.body["data"]) == (200, {"notes": "short"})
    for said in (f"Meeting {bot.platform}/{bot.native_id}", f"Meeting {bot.platform}/{bot.meeting_id}"):
        forgotten = await me.send("DELETE", path)
        assert forgotten.code == 200
        assert forgotten.body["message"].startswith(f"{said} and its transcripts were deleted.")
    assert (await me.send("DELETE", "/meetings/4711")).code == 404


@pytest.mark.parametrize("made_by_rest", [True, False])
async def test_whoever_keeps_a_botrequest_elsewhere_is_warned_that_it_would_ask_for_a_bot_again(
    me: Client, given: Scenario, user: User, made_by_rest: bool
) -> None:
    spec = {"userId": user.id} | ({"connectionId": "c-1"} if made_by_rest else {})
    bot = await given.a_bot(user, request_name="standup", spec=spec).starting().completed()
    said = (await me.send("DELETE", f"/meetings/{bot.meeting_id}")).body["message"]
    assert ("keeps the BotRequest bots/standup, take it out there" in said) is not made_by_rest
    again = (await me.send("DELETE", f"/meetings/{bot.meeting_id}")).body["message"]
    assert "take it out there" not in again


async def test_nobody_else_describes_or_forgets_a_meeting(me: Client, given: Scenario) -> None:
    other = await given.a_bot().starting().completed()
    for method, body in (("PATCH", {"data": {"notes": "x"}}), ("DELETE", None)):
        assert (await me.send(method, f"/meetings/{other.meeting_id}", json=body)).code == 404


async def test_a_live_meeting_is_not_forgotten(me: Client, given: Scenario, user: User) -> None:
    bot = await given.a_bot(user)
    answer = await me.send("DELETE", f"/meetings/{bot.platform}/{bot.native_id}")
    assert (answer.code, answer.body["code"]) == (409, "meeting_live")


async def test_the_evidence_of_a_failed_meeting_is_shown_to_its_owner_alone(
    me: Client, given: Scenario, user: User
) -> None:
    bot = await given.a_bot(user).starting().failed(reason="exit_code_137")
    another = await given.a_bot().starting().failed()
    early = await me.get(f"/meetings/{bot.meeting_id}/evidence")
    assert (early.code, early.body["code"]) == (404, "evidence_not_ready")
    await collect(given)
    found = await me.get(f"/meetings/{bot.meeting_id}/evidence")
    assert (found.code, found.body["end"]["reason"], found.body["job"]) == (200, "exit_code_137", None)
    assert [each["stage"] for each in found.body["stages"]] == ["scheduling"]
    foreign = await me.get(f"/meetings/{another.meeting_id}/evidence")
    assert (foreign.code, foreign.body["code"]) == (404, "not_found")


async def test_a_meeting_that_did_not_fail_has_no_evidence(me: Client, given: Scenario, user: User) -> None:
    for bot in (await given.a_bot(user).active().completed(), await given.a_bot(user).active()):
        answer = await me.get(f"/meetings/{bot.meeting_id}/evidence")
        assert (answer.code, answer.body["code"]) == (404, "no_evidence")


async def test_evidence_goes_with_a_meetings_private_data(me: Client, given: Scenario, user: User) -> None:
    bot = await given.a_bot(user).starting().failed()
    await collect(given)
    assert (await me.send("DELETE", f"/meetings/{bot.meeting_id}")).code == 200
    assert await given.scalar("SELECT count(*) FROM usher.evidence") == 0
