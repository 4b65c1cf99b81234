"""The operator's side: users, limits, tokens; and what a user sees of himself."""

from tests.integration.operator.api.client import Client
from tests.scenario import Scenario, User


async def test_a_user_is_created_or_found(admin: Client) -> None:
    new = await admin.post("/admin/users", email="a@example.org", name="A", max_concurrent_bots=2, data={"team": "x"})
    assert new.code == 201
    assert (new.body["max_concurrent_bots"], new.body["data"]) == (2, {"team": "x"})
    found = await admin.post("/admin/users", email="a@example.org", max_concurrent_bots=9)
    assert (found.code, found.body) == (200, new.body)
    assert (await admin.get("/admin/users/email/a@example.org")).body == new.body
    assert (await admin.get(f"/admin/users/{new.body['id']}")).body == new.body | {"api_tokens": []}
    assert (await admin.get("/admin/users")).body == [new.body]
    assert (await admin.get("/admin/users", skip=1)).body == []


async def test_what_is_no_user_is_refused(admin: Client) -> None:
    assert (await admin.post("/admin/users", email="nobody")).code == 422
    assert (await admin.post("/admin/users", email="a@b", max_concurrent_bots=-1)).code == 422
    assert (await admin.post("/admin/users", email="a@b", data={"x": "a\u0000b"})).code == 422
    assert (await admin.get("/admin/users/1")).code == 404
    assert (await admin.get("/admin/users/99999999999")).code == 422
    assert (await admin.send("PATCH", "/admin/users/1", json={"name": "x"})).code == 404
    assert (await admin.get("/admin/users/email/nobody@example.org")).code == 404


async def test_a_user_is_changed(admin: Client, user: User) -> None:
    path = f"/admin/users/{user.id}"
    first = await admin.send("PATCH", path, json={"max_concurrent_bots": 0, "data": {"a": 1, "b": {"c": None}}})
    assert (first.body["max_concurrent_bots"], first.body["data"]) == (0, {"a": 1, "b": {"c": None}})
    second = await admin.send("PATCH", path, json={"name": "N", "data": {"a": None}})
    assert (second.body["name"], second.body["data"]) == ("N", {"b": {"c": None}})


async def test_a_token_is_shown_once_and_revoked(admin: Client, user: User) -> None:
    path = f"/admin/users/{user.id}/tokens"
    bare = await admin.send("POST", path)
    named = await admin.post(path, name="ci", scopes=["bot"], expires_in=60)
    assert (bare.code, named.code) == (201, 201)
    listed = (await admin.get(path)).body
    assert [token["name"] for token in listed] == [None, "ci"]
    assert bare.body["token"] not in str(listed)
    assert "token" not in listed[0]
    assert listed[1]["expires_at"] is not None
    assert (await admin.send("DELETE", f"/admin/tokens/{bare.body['id']}")).code == 204
    assert (await admin.send("DELETE", f"/admin/tokens/{bare.body['id']}")).code == 404
    assert (await admin.send("POST", "/admin/users/999/tokens")).code == 404


async def test_a_token_is_created_from_query_parameters(admin: Client, user: User) -> None:
    path = f"/admin/users/{user.id}/tokens"
    several = await admin.send("POST", path, params={"scopes": "tx,bot", "expires_in": 60, "name": "ci"})
    assert (several.code, several.body["scopes"], several.body["name"]) == (201, ["tx", "bot"], "ci")
    assert several.body["expires_at"] is not None
    assert (await admin.send("POST", path, params={"scope": "tx"})).body["scopes"] == ["tx"]
    both = await admin.send("POST", path, params={"scopes": "tx"}, json={"scopes": ["bot"]})
    assert both.body["scopes"] == ["bot"]
    for wrong in ({"scopes": "tx,admin"}, {"scopes": ""}, {"scope": "all"}, {"expires_in": 0}):
        assert (await admin.send("POST", path, params=wrong)).code == 422
    assert (await admin.post(path, scopes=[])).code == 422


async def test_a_plaintext_token_is_listed_and_revoked(admin: Client, given: Scenario, user: User) -> None:
    await given.execute("INSERT INTO api_tokens (token, user_id) VALUES ('old-token', :id)", id=user.id)
    path = f"/admin/users/{user.id}/tokens"
    new = (await admin.send("POST", path)).body
    old, listed = (await admin.get(path)).body
    assert (old["hashed"], listed["hashed"], listed["id"]) == (False, True, new["id"])
    assert "old-token" not in str(old)
    assert (await admin.send("DELETE", f"/admin/tokens/{old['id']}")).code == 204
    assert [token["id"] for token in (await admin.get(path)).body] == [new["id"]]


async def test_meetings_and_their_users_are_listed(admin: Client, given: Scenario, user: User) -> None:
    bot = await given.a_bot(user)
    body = (await admin.get("/admin/stats/meetings-users")).body
    assert body["total"] == 1
    assert (body["items"][0]["id"], body["items"][0]["user"]["email"]) == (bot.meeting_id, user.email)


async def test_a_user_sees_limit_and_use(me: Client, given: Scenario, user: User) -> None:
    await given.a_bot(user)
    await given.a_legacy_meeting(user, status="requested")
    body = (await me.get("/user")).body
    assert (body["limit"], body["used"], body["email"]) == (3, 2, user.email)


async def test_a_webhook_is_stored_and_its_secret_never_shown(me: Client, given: Scenario) -> None:
    target = {"webhook_url": "https://example.org/hook", "webhook_secret": "whsec_12345678"}
    answer = await me.send("PUT", "/user/webhook", json=target)
    assert (answer.code, answer.body["data"]) == (200, {"webhook_url": "https://example.org/hook"})
    await me.send("PUT", "/user/webhook", json={"webhook_url": None})
    assert await given.scalar("SELECT data FROM users") == {}
    assert (await me.send("PUT", "/user/webhook", json={"webhook_url": "ftp://example.org"})).code == 422


async def test_the_document_is_served_without_a_key(me: Client) -> None:
    stranger = Client(me.http, {})
    paths = (await stranger.get("/openapi.json")).body["paths"]
    assert "/bots" in paths
    assert not [path for path in paths if "internal" in path]
