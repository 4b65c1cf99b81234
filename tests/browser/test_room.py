"""Five bots in one room: none of them is called dead, and each of them hears."""

import asyncio

import pytest

from dev.conference.host import Host
from tests.browser.conftest import MakeGuest
from tests.browser.guest import Guest

BOTS = 5


@pytest.fixture
def site() -> str:
    """Whose pages does not matter here."""
    return "conference"


async def test_five_bots_share_a_room_and_none_is_called_dead(host: Host, make_guest: MakeGuest) -> None:
    await host.set_door(lobby=False)
    bots: list[Guest] = []
    for _ in range(BOTS):
        bots.append(make_guest())
        await bots[-1].be_inside()
    await asyncio.gather(*(bot.hears() for bot in bots))
    await asyncio.sleep(10)
    assert [bot.driver.is_alive for bot in bots] == [True] * BOTS
    assert [bot.driver.participants for bot in bots] == [BOTS] * BOTS
