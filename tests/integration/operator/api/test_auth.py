"""Keys: whose they are, what they may do, and how soon a revoked one stops working."""

import pytest
from pydantic import SecretStr
from sqlalchemy import event

from tests.fakes.clock import FakeClock
from tests.integration.operator.api.client import Client, key_of
from tests.scenario import Scenario, User
from usher_models.db import api_tokens
from usher_models.errors import Forbidden, Unauthorized
from usher_operator.api.auth import CACHED_S, UserKeys, admin_key

ANY: frozenset[str] = frozenset()


async def test_a_new_key_is_stored_as_its_digest(given: Scenario, user: User) -> None:
    key = await key_of(given, user)
    assert await given.scalar("SELECT digest FROM usher.api_keys") == api_tokens.digest(key)
    assert await given.scalar("SELECT count(*) FROM api_tokens") == 0


@pytest.mark.parametrize("key", [None, "", "nonsense", "k\u00e4se"])
async def test_without_a_known_key_nothing_is_answered(me: Client, key: str | None) -> None:
    stranger = Client(me.http, {} if key is None else {"X-API-Key": key})
    for path in ("/bots/status", "/meetings", "/user", "/bots/id/1"):
        answer = await stranger.get(path)
        assert (answer.code, answer.body["code"]) == (401, "unauthorized")


async def test_a_plaintext_key_of_an_older_deployment_works(me: Client, given: Scenario, user: User) -> None:
    await given.execute("INSERT INTO api_tokens (token, user_id) VALUES ('old-token', :id)", id=user.id)
    assert (await Client(me.http, {"X-API-Key": "old-token"}).get("/user")).body["id"] == user.id


async def test_a_stolen_digest_authenticates_nothing(me: Client, given: Scenario) -> None:
    stored = (await given.scalar("SELECT digest FROM usher.api_keys")).hex()
    for key in (stored, f"usher_{stored}", f"usher_sha256:{stored}"):
        assert (await Client(me.http, {"X-API-Key": key}).get("/user")).code == 401


async def test_a_key_never_reaches_the_log_of_postgres(me: Client, given: Scenario, user: User) -> None:
    """Statements that look a key up have no parameter that contains it."""
    seen: list[str] = []
    engine = given.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *args: seen.append(repr(args[3])))
    legacy = "vxa_bot_0123456789abcdef"
    await given.execute("INSERT INTO api_tokens (token, user_id) VALUES (:token, :id)", token=legacy, id=user.id)
    seen.clear()
    keys = UserKeys(database=given.database)
    for key in (await key_of(given, user), legacy):
        assert (await keys.owner(key, scopes=ANY)).user_id == user.id
        assert not [values for values in seen if key in values]
    assert seen


@pytest.mark.parametrize(
    ("scopes", "bots", "meetings"), [([], 200, 200), (["bot"], 200, 403), (["tx"], 403, 200), (["browser"], 403, 403)]
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
    await given.execute("UPDATE usher.api_keys SET expires_at = now() - interval '1 s' WHERE expires_at IS NOT NULL")
    assert (await client.get("/user")).code == 401


async def test_a_revoked_key_stops_working_within_seconds(given: Scenario, user: User, clock: FakeClock) -> None:
    keys = UserKeys(database=given.database, clock=clock)
    key = await key_of(given, user)
    assert (await keys.owner(key, scopes=ANY)).user_id == user.id
    await given.execute("DELETE FROM usher.api_keys")
    clock.advance(CACHED_S - 0.1)
    await keys.owner(key, scopes=ANY)
    clock.advance(0.2)
    with pytest.raises(Unauthorized, match="unknown, revoked or expired"):
        await keys.owner(key, scopes=ANY)
    assert CACHED_S <= 5


@pytest.mark.own_database
async def test_the_oldest_schema_has_neither_scopes_nor_ends(me: Client, given: Scenario, user: User) -> None:
    await given.execute("ALTER TABLE api_tokens DROP scopes, DROP name, DROP last_used_at, DROP expires_at")
    await given.execute("INSERT INTO api_tokens (token, user_id) VALUES ('old-token', :id)", id=user.id)
    for key in ("old-token", await key_of(given, user, scopes=["bot"], expires_in_s=60)):
        assert (await Client(me.http, {"X-API-Key": key}).get("/bots/status")).code == 200


@pytest.mark.parametrize("headers", [{}, {"X-Admin-API-Key": "wrong"}, {"X-Admin-API-Key": "k\u00e4se"}])
async def test_the_admin_api_answers_403_without_the_admin_key(me: Client, headers: dict[str, str]) -> None:
    for method, path in (("GET", "/admin/users"), ("POST", "/admin/users"), ("DELETE", "/admin/tokens/1")):
        assert (await Client(me.http, me.headers | headers).send(method, path)).code == 403


def test_without_an_admin_key_the_admin_api_is_off() -> None:
    for given in (None, "", "anything"):
        with pytest.raises(Forbidden, match="USHER_ADMIN_API_KEY"):
            admin_key(SecretStr("")).check(given)


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
