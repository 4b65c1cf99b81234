"""A room that is full or restless: no bot is called dead, and each stays in the meeting and hears."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from dev.conference.host import Host
from tests.browser.conftest import MakeGuest
from tests.browser.guest import NAME, Guest
from usher_models.states import Stage

BOTS = 5
FLOOD = 30


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


async def flood_the_chat(host: Host) -> None:
    """Write much that sounds like an end."""
    await host.chat(f"{number}: you were removed from the meeting" for number in range(FLOOD))


async def let_guests_come_and_go(host: Host) -> None:
    """Others come and leave at once, twice."""
    for _ in range(2):
        await host.come_by(["Ada", "Bob"])


async def reload(host: Host) -> None:
    """Be gone and back, twice."""
    for _ in range(2):
        await host.come()


@pytest.mark.parametrize("act", [flood_the_chat, let_guests_come_and_go, reload])
async def test_a_restless_host_does_not_move_a_bot(
    host: Host, make_guest: MakeGuest, act: Callable[[Host], Awaitable[None]]
) -> None:
    bot = make_guest(alone_s=30)
    await bot.reach(Stage.LOBBY)
    await host.admit(NAME)
    await bot.be_inside()
    await act(host)
    await bot.meets(1)
    await bot.hears()
    assert bot.driver.is_alive
    assert bot.stages == [Stage.JOINING, Stage.LOBBY]
    assert sorted(await host.names()) == ["Host", NAME]
