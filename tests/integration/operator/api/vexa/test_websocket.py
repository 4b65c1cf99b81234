"""Following the status of meetings over `/ws`, as clients of Vexa do."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType, WSServerHandshakeError

from tests.integration.operator.api.client import Client, key_of
from tests.integration.operator.api.conftest import Http
from tests.scenario import Scenario, User
from usher_operator.api.vexa import status_feed, websocket


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A feed that looks all the time."""
    monkeypatch.setattr(status_feed, "POLL_S", 0.02)


async def said(socket: ClientWebSocketResponse) -> dict[str, Any]:
    async with asyncio.timeout(5):
        message: dict[str, Any] = await socket.receive_json()
        return message


@pytest.fixture
async def socket(http: Http, me: Client) -> AsyncIterator[ClientWebSocketResponse]:
    """A client of `user` that follows."""
    async with http.ws_connect("/ws", headers=me.headers) as connected:
        await connected.send_json({"action": "ping"})
        assert await said(connected) == {"type": "pong"}
        yield connected


async def test_a_client_follows_its_users_meetings(
    socket: ClientWebSocketResponse, given: Scenario, user: User
) -> None:
    await given.a_bot()
    bot = await given.a_bot(user).starting().active()
    frames = [await said(socket) for _ in range(3)]
    assert [frame["payload"]["status"] for frame in frames] == ["reserved", "starting", "active"]
    assert frames[0]["type"] == "meeting.status"
    meeting = {"id": bot.meeting_id, "platform": bot.platform, "native_id": bot.native_id}
    assert (frames[0]["meeting"], frames[0]["user_id"]) == (meeting, user.id)


async def test_a_subscription_answers_with_the_present_status(
    socket: ClientWebSocketResponse, given: Scenario, user: User
) -> None:
    bot = await given.a_bot(user).starting().active()
    for _ in range(3):
        await said(socket)
    name = {"platform": bot.platform, "native_id": bot.native_id}
    await socket.send_json({"action": "subscribe", "meetings": [name]})
    assert await said(socket) == {"type": "subscribed", "meetings": [name]}
    assert (await said(socket))["payload"] == {"status": "active"}
    await socket.send_json({"action": "unsubscribe", "meetings": [name]})
    assert await said(socket) == {"type": "unsubscribed", "meetings": [name]}


async def test_anothers_meeting_is_not_followed(socket: ClientWebSocketResponse, given: Scenario) -> None:
    bot = await given.a_bot()
    name = {"platform": bot.platform, "native_id": bot.native_id}
    await socket.send_json({"action": "subscribe", "meetings": [name]})
    assert (await said(socket))["error"] == "invalid_subscribe_payload"
    assert await said(socket) == {"type": "subscribed", "meetings": []}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{", "invalid_json"),
        ("[1]", "invalid_json"),
        ('{"action": "dance"}', "unknown_action"),
        ('{"action": "subscribe"}', "invalid_subscribe_payload"),
        ('{"action": "subscribe", "meetings": []}', "invalid_subscribe_payload"),
        ('{"action": "subscribe", "meetings": [7, {"platform": "zoom"}]}', "invalid_subscribe_payload"),
        ('{"action": "unsubscribe", "meetings": "all"}', "invalid_unsubscribe_payload"),
        (json.dumps({"action": "subscribe", "meetings": [{}] * 101}), "invalid_subscribe_payload"),
        ("[" * 20_000, "invalid_json"),
    ],
)
async def test_what_is_wrong_is_said_and_the_socket_stays(
    socket: ClientWebSocketResponse, text: str, error: str
) -> None:
    await socket.send_str(text)
    assert (await said(socket))["error"] == error
    await socket.send_json({"action": "ping"})
    while (await said(socket)) != {"type": "pong"}:
        pass


@pytest.mark.parametrize(
    ("query", "error", "code"), [({}, "missing_api_key", 4401), ({"api_key": "nonsense"}, "invalid_api_key", 4401)]
)
async def test_without_a_key_nothing_is_followed(http: Http, query: dict[str, str], error: str, code: int) -> None:
    async with http.ws_connect("/ws", params=query) as connected:
        assert (await said(connected))["error"] == error
        assert (await connected.receive()).type is WSMsgType.CLOSE
        assert connected.close_code == code


async def test_a_key_in_the_query_works_and_one_for_browsers_does_not(http: Http, given: Scenario, user: User) -> None:
    for scopes, reply in ((["tx"], {"type": "pong"}), (["browser"], {"type": "error", "error": "insufficient_scope"})):
        async with http.ws_connect("/ws", params={"api_key": await key_of(given, user, scopes=scopes)}) as connected:
            await connected.send_json({"action": "ping"})
            assert await said(connected) == reply


async def test_a_revoked_key_follows_no_longer(
    http: Http, given: Scenario, me: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "RECHECK_S", 0.05)
    monkeypatch.setattr("usher_operator.api.auth.CACHED_S", 0.0)
    async with http.ws_connect("/ws", headers=me.headers) as connected:
        await given.execute("DELETE FROM usher.api_keys")
        async with asyncio.timeout(5):
            assert (await connected.receive()).type is WSMsgType.CLOSE
        assert connected.close_code == 4401


async def test_one_user_holds_a_bounded_number_of_sockets(
    http: Http, me: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "SOCKETS_PER_USER", 1)
    async with http.ws_connect("/ws", headers=me.headers), http.ws_connect("/ws", headers=me.headers) as second:
        assert (await said(second))["error"] == "too_many_connections"


async def test_a_plain_request_is_told_to_upgrade(http: Http, me: Client) -> None:
    with pytest.raises(WSServerHandshakeError):
        await http.ws_connect("/ws/nowhere", headers=me.headers)
    assert (await me.get("/ws")).code == 400


async def test_a_client_that_does_not_read_is_left_behind() -> None:
    follower = status_feed.Follower(user_id=1)
    for _ in range(status_feed.QUEUED_MAX + 1):
        follower.send("{}")
    assert follower.behind
