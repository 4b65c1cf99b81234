"""One odd row, made by whoever else writes Vexa's tables, is only one: every list that holds it is still readable."""

import pytest

from tests.integration.operator.api.client import Client
from tests.scenario import Scenario, User

pytestmark = pytest.mark.own_database

FREE = (
    "ALTER TABLE users ALTER max_concurrent_bots DROP NOT NULL, ALTER email DROP NOT NULL",
    "ALTER TABLE api_tokens ALTER scopes DROP NOT NULL",
    "ALTER TABLE meetings ALTER platform DROP NOT NULL",
)
ODD = {
    "a user from the end of time": "UPDATE users SET created_at = 'infinity'",
    "a user from before Christ": "UPDATE users SET created_at = '4000-01-01 BC'",
    "a user of the far future": "UPDATE users SET created_at = '20000-01-01'",
    "a user without a date": "UPDATE users SET created_at = NULL",
    "a user without a limit": "UPDATE users SET max_concurrent_bots = NULL",
    "a user with a negative limit": "UPDATE users SET max_concurrent_bots = -1",
    "a user without an address": "UPDATE users SET email = NULL WHERE email LIKE 'odd%'",
    "a user without a name": "UPDATE users SET name = NULL, image_url = NULL",
    "a key without scopes": "UPDATE api_tokens SET scopes = NULL",
    "a key with half a scope": "UPDATE api_tokens SET scopes = ARRAY['bot', NULL]",
    "a key for ever": "UPDATE api_tokens SET expires_at = 'infinity', created_at = '-infinity'",
    "a key without dates": "UPDATE api_tokens SET created_at = NULL",
    "a meeting for ever": "UPDATE meetings SET start_time = '-infinity', end_time = 'infinity'",
    "a meeting of no time": "UPDATE meetings SET created_at = NULL, updated_at = NULL",
    "a meeting made at infinity": "UPDATE meetings SET created_at = 'infinity', updated_at = '-infinity'",
    "a meeting without a platform": "UPDATE meetings SET platform = NULL",
    "a meeting of another platform": "UPDATE meetings SET platform = 'Google Meet'",
    "a meeting without an id": "UPDATE meetings SET platform_specific_id = NULL",
    "a meeting with an odd id": "UPDATE meetings SET platform_specific_id = ' a/b?c#d '",
    "a meeting with a list of data": "UPDATE meetings SET data = '[1]'",
    "a meeting with data of odd kinds": """UPDATE meetings SET data = '{"name": 7, "notes": [], "status_transition": {},
        "completion_reason": {}, "failure_stage": [], "constructed_meeting_url": 1, "participants": "x", "languages": 3,
        "webhook_delivery": 7, "last_error": 0, "error_details": {}}'""",
    "a history of odd kinds": """UPDATE meetings SET data = '{"status_transition": [1, null, {"from": 1, "to": {},
        "timestamp": "yesterday", "source": []}, {"to": "active"}]}'""",
    "a session at infinity": "UPDATE meeting_sessions SET session_start_time = 'infinity'",
    "a session of no time": "UPDATE meeting_sessions SET session_start_time = NULL",
    "an odd webhook": """UPDATE users SET data = '{"webhook_url": 7, "webhook_secret": [], "webhook_events": "x"}'""",
    "a webhook of odd events": """UPDATE users SET data = '{"webhook_url": "ftp://x", "webhook_events": [1, {}]}'""",
}


@pytest.mark.parametrize("sql", ODD.values(), ids=ODD)
async def test_everything_is_readable_beside_an_odd_row(
    me: Client, admin: Client, given: Scenario, user: User, sql: str
) -> None:
    await given.a_user(email="odd@example.org")
    legacy = await given.a_legacy_meeting(user, status="completed")
    await given.execute("INSERT INTO meeting_sessions (meeting_id, session_uid) VALUES (:id, 'x')", id=legacy)
    own = await given.a_bot(user=user).active()
    await given.execute("INSERT INTO api_tokens (token, user_id) VALUES ('plain-text-key', :id)", id=user.id)
    for statement in FREE:
        await given.execute(statement)
    await given.execute(sql)
    meetings = [
        f"/meetings/{number}{part}" for number in (legacy, own.meeting_id) for part in ("", "/transitions", "/sessions")
    ]
    by_email = f"/admin/users/email/{user.email}"
    asked = [
        *((me, path) for path in ("/user", "/user/webhook", "/bots", "/bots/status", "/meetings", *meetings)),
        *(
            (admin, path)
            for path in ("/admin/users", f"/admin/users/{user.id}", by_email, "/admin/stats/meetings-users")
        ),
        (Client(me.http, {"X-API-Key": "plain-text-key"}), "/user"),
    ]
    answers = {path: await client.get(path) for client, path in asked}
    assert {path: answer.code for path, answer in answers.items() if answer.code not in (200, 404)} == {}


async def test_a_user_without_a_limit_may_have_no_bot(me: Client, given: Scenario, user: User) -> None:
    await given.execute(FREE[0])
    await given.execute("UPDATE users SET max_concurrent_bots = NULL WHERE id = :id", id=user.id)
    refused = await me.ask()
    assert (refused.code, refused.body["code"]) == (429, "cap_reached")


async def test_an_old_key_that_ended_at_the_beginning_of_time_is_refused(
    me: Client, given: Scenario, user: User
) -> None:
    await given.execute(
        "INSERT INTO api_tokens (token, user_id, expires_at) VALUES ('plain-text-key', :id, '-infinity')", id=user.id
    )
    assert (await Client(me.http, {"X-API-Key": "plain-text-key"}).get("/user")).code == 401
