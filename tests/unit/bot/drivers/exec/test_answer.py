"""The answers to a program's callbacks, as each version of Vexa's bots reads them."""

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.unit.bot.fake_time import FakeClock
from usher_bot.drivers.exec.answer import answer
from usher_bot.drivers.exec.callbacks import ChildCallbacks
from usher_bot.drivers.exec.server import LocalServer
from usher_models.wire import leave_command

V0_9 = {"processed", "ok", "container_updated"}
V0_10_7 = V0_9 | {"ignored"}


@pytest.fixture
async def url(clock: FakeClock) -> AsyncIterator[str]:
    server = LocalServer(meeting_id=42, callbacks=ChildCallbacks(clock=clock))
    yield await server.open()
    await server.close()


def word(name: str) -> str:
    return str(answer(name, meeting_id=42, joined=False, commands=[])["status"])


@pytest.mark.parametrize("name", ["status_change", "joining", "awaiting_admission"])
def test_bots_that_compare_the_word_accept_the_answer(name: str) -> None:
    assert word(name) in V0_9 & V0_10_7


@pytest.mark.parametrize("name", ["started", "joined", "exited", "heartbeat", "status"])
def test_the_oldest_bots_get_the_words_of_ushers_own_server(name: str) -> None:
    assert word(name) in {"callback processed", "heartbeat processed", "status update processed"}


def test_an_answer_carries_the_status_and_the_commands() -> None:
    body = answer("lifecycle", meeting_id=42, joined=True, commands=[leave_command(42)])
    assert (body["status"], body["meeting_id"], body["new_status"]) == ("accepted", 42, "active")
    assert body["commands"] == [{"id": "42:leave", "action": "leave"}]


@pytest.mark.parametrize("name", ["status_change", "lifecycle"])
async def test_a_callback_of_the_newer_bots_is_answered(url: str, name: str) -> None:
    address = f"{url}/bots/internal/callback/{name}"
    async with aiohttp.ClientSession() as session, session.post(address, json={"status": "active"}) as response:
        body = json.loads(await response.read())
    assert response.status == 200
    assert body["new_status"] == "active"
