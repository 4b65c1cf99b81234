"""Keys: whose they are, what they may do, and how soon a revoked one stops working."""

import pytest
from pydantic import SecretStr

from tests.fakes.clock import FakeClock
from tests.integration.operator.api.client import Client, key_of
from tests.scenario import Scenario, User
from usher_models.db import api_tokens
from usher_models.errors import Forbidden, Unauthorized
from usher_operator.api.auth import CACHED_S, AdminKey, UserKeys

ANY: frozenset[str] = frozenset()


async def test_a_new_key_is_stored_as_its_digest(given: Scenario, user: User) -> None:
    key = await key_of(given, user)
    stored = await given.scalar("SELECT token FROM api_tokens")
    assert stored == api_tokens.digest(key)
    assert len(stored) <= 255


@pytest.mark.parametrize("key", [None, "", "nonsense", "k\u00e4se"])
async def test_without_a_known_key_nothing_is_answered(me: Client, key: str | None) -> None:
    stranger = Client(me.http, {} if key is None else {"X-API-Key": key})
    for path in ("/bots/status", "/meetings", "/user", "/bots/id/1"):
        answer = await stranger.get(path)
        assert (answer.code, answer.body["code"]) == (401, "unauthorized")


async def test_a_plaintext_key_of_an_older_deployment_works(me: Client, given: Scenario, user: User) -> None:
    await given.execute("INSERT INTO api_tokens (token, user_id) VALUES ('old-token', :id)", id=user.id)
    assert (await Client(me.http, {"X-API-Key": "old-token"}).get("/user")).body["id"] == user.id


async def test_a_stolen_digest_opens_nothing(me: Client, given: Scenario) -> None:
    stored = await given.scalar("SELECT token FROM api_tokens")
    assert (await Client(me.http, {"X-API-Key": stored}).get("/user")).code == 401


@pytest.mark.parametrize(
    ("scopes", "bots", "meetings"), [([], 200, 200), (["bot"], 200, 200), (["tx"], 403, 200), (["browser"], 403, 403)]
)
async def test_a_key_may_do_what_its_scopes_say(
    me: Client, given: Scenario, user: User, scopes: list[str], bots: int, meetings: int
) -> None:
    client = Client(me.http, {"X-API-Key": await key_of(given, user, scopes=scopes)})
    assert (await client.get("/bots/status")).code == bots
    assert (await client.get("/meetings")).code == meetings


async def test_an_expired_key_is_unknown(me: Client, given: Scenario, user: User) -> None:
    key = await key_of(given, user, expires_in_s=3600)
    client = Client(me.http, {"X-API-Key": key})
    await given.execute("UPDATE api_tokens SET expires_at = now() AT TIME ZONE 'utc' - interval '1 s' WHERE id > 1")
    assert (await client.get("/user")).code == 401


async def test_a_revoked_key_stops_working_within_seconds(given: Scenario, user: User, clock: FakeClock) -> None:
    keys = UserKeys(database=given.database, clock=clock)
    key = await key_of(given, user)
    assert (await keys.owner(key, scopes=ANY)).user_id == user.id
    await given.execute("DELETE FROM api_tokens")
    clock.advance(CACHED_S - 0.1)
    await keys.owner(key, scopes=ANY)
    clock.advance(0.2)
    with pytest.raises(Unauthorized):
        await keys.owner(key, scopes=ANY)
    assert CACHED_S <= 5


@pytest.mark.own_database
async def test_the_oldest_schema_has_neither_scopes_nor_ends(me: Client, given: Scenario, user: User) -> None:
    await given.execute("ALTER TABLE api_tokens DROP scopes, DROP name, DROP last_used_at, DROP expires_at")
    client = Client(me.http, {"X-API-Key": await key_of(given, user)})
    assert (await client.get("/bots/status")).code == 200


@pytest.mark.parametrize("headers", [{}, {"X-Admin-API-Key": "wrong"}, {"X-Admin-API-Key": "k\u00e4se"}])
async def test_the_admin_api_wants_the_admin_key(me: Client, headers: dict[str, str]) -> None:
    for method, path in (("GET", "/admin/users"), ("POST", "/admin/users"), ("DELETE", "/admin/tokens/1")):
        assert (await Client(me.http, me.headers | headers).send(method, path)).code == 401


def test_without_an_admin_key_the_admin_api_is_off() -> None:
    for given in (None, "", "anything"):
        with pytest.raises(Forbidden, match="USHER_ADMIN_API_KEY"):
            AdminKey(key=SecretStr("")).check(given)


async def test_a_key_never_reaches_the_log(
    me: Client, given: Scenario, user: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    key = await key_of(given, user)
    client = Client(me.http, {"X-API-Key": key, "X-Admin-API-Key": "another secret"})
    await client.ask()
    await client.get("/admin/users")
    assert key not in caplog.text
    assert "another secret" not in caplog.text
