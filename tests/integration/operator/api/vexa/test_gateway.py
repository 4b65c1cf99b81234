"""What gateways of Vexa ask, by the requests and answers that were recorded from their published source."""

from typing import Any

import pytest

from tests.integration.operator.api.client import GATEWAY_SECRET, Client, key_of
from tests.scenario import Scenario, User

VALIDATE = "/internal/validate"


@pytest.fixture
def gateway(me: Client) -> Client:
    """A gateway with the shared secret."""
    return Client(me.http, {"X-Internal-Secret": GATEWAY_SECRET})


async def test_a_key_is_checked_for_a_gateway(gateway: Client, given: Scenario, user: User) -> None:
    key = await key_of(given, user, scopes=["bot"])
    answer = await gateway.post(VALIDATE, token=key)
    assert answer.code == 200
    assert answer.body == {
        "user_id": user.id,
        "scopes": ["bot"],
        "max_concurrent": 3,
        "email": user.email,
        "is_admin": False,
        "workspaces": [],
    }
    full = await gateway.post(VALIDATE, token=await key_of(given, user))
    assert full.body["scopes"] == ["bot", "browser", "tx"]


async def test_the_secret_of_a_webhook_is_not_given_away(
    gateway: Client, me: Client, given: Scenario, user: User
) -> None:
    await me.send("PUT", "/user/webhook", json={"webhook_url": "https://a.example", "webhook_secret": "12345678"})
    assert "12345678" not in str((await gateway.post(VALIDATE, token=await key_of(given, user))).body)


@pytest.mark.parametrize("token", ["", "nonsense", "usher_nonsense", "käse", "a\u0000b"])
async def test_an_unknown_key_is_401(gateway: Client, token: str) -> None:
    assert (await gateway.post(VALIDATE, token=token)).code == 401


@pytest.mark.parametrize("headers", [{}, {"X-Internal-Secret": "wrong"}])
async def test_only_a_gateway_may_ask(me: Client, headers: dict[str, str]) -> None:
    stranger = Client(me.http, me.headers | headers)
    assert (await stranger.post(VALIDATE, token=me.headers["X-API-Key"])).code == 403


async def test_the_digest_is_useless_to_who_compares_plain_text(gateway: Client, me: Client, given: Scenario) -> None:
    """Vexa's own services look a key up in api_tokens.token: nothing of Usher's is there."""
    assert await given.scalar("SELECT count(*) FROM api_tokens") == 0


async def test_a_gateway_learns_which_meetings_a_client_may_follow(me: Client, given: Scenario, user: User) -> None:
    bot, foreign = await given.a_bot(user), await given.a_bot()
    names: list[Any] = [{"platform": each.platform, "native_meeting_id": each.native_id} for each in (bot, foreign)] + [
        7,
        {"platform": "zoom"},
    ]
    answer = await me.post("/ws/authorize-subscribe", meetings=names)
    assert answer.body["authorized"] == [
        {
            "platform": bot.platform,
            "native_id": bot.native_id,
            "user_id": str(user.id),
            "meeting_id": str(bot.meeting_id),
        }
    ]
    assert len(answer.body["errors"]) == 3
    assert (await me.post("/ws/authorize-subscribe", meetings=[])).code == 422


async def test_the_newest_gateway_finds_deliveries_where_it_looks(me: Client) -> None:
    assert (await me.get("/webhooks/deliveries", limit=500)).body["deliveries"] == []


async def test_gateway_routes_are_not_in_the_document(me: Client) -> None:
    paths = (await me.get("/openapi.json")).body["paths"]
    assert not {VALIDATE, "/ws/authorize-subscribe", "/webhooks/deliveries"} & set(paths)
