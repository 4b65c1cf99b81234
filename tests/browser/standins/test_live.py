"""The stand-ins with a real media server behind them: a remote track exists only once the server let the bot in."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dev.conference.host import Host, a_host
from dev.conference.settings import Settings
from tests.browser.guest import NAME, Guest, a_guest
from tests.browser.standins.cases import PLATFORMS, Case
from tests.browser.standins.test_matrix import set_scenario
from usher_models.states import Stage


@pytest.fixture(params=sorted(PLATFORMS))
def platform(request: pytest.FixtureRequest) -> str:
    """Whose pages the bot sees; the host is in the same room by our own."""
    return str(request.param)


@pytest.fixture
async def meeting(platform: str, conference: Settings) -> str:
    """A meeting with a real lobby, and with buttons in it that only a meeting should have."""
    url = Case(platform, "live", "inside").url()
    await set_scenario(conference, url, {"live": True, "traps": ["lobby_buttons", "effects_tile", "stale_lobby_text"]})
    return url


@pytest.fixture
async def host(conference: Settings, pin: str, meeting: str) -> AsyncIterator[Host]:
    """The moderator, who speaks."""
    room = meeting.partition("?")[0].rpartition("/")[2]
    async with a_host(
        kind="conference", url=conference.meeting_url, room=room, pin=pin, voice=conference.voice
    ) as made:
        await made.come()
        yield made


@pytest.fixture
async def bot(
    host: Host, platform: str, meeting: str, conference: Settings, pin: str, tmp_path: Path
) -> AsyncIterator[Guest]:
    """A bot in the platform's lobby."""
    made = a_guest(url=meeting, site=platform, pin=pin, folder=tmp_path, flags=[conference.stand_ins])
    made.start()
    await made.reach(Stage.LOBBY)
    yield made
    await made.leave()


async def test_an_admitted_bot_hears_the_host_and_is_removed(host: Host, bot: Guest) -> None:
    assert not await bot.script("window.__usherTap.hears")
    await host.admit(NAME)
    await bot.be_inside()
    await bot.hears()
    await host.remove(NAME)
    assert (await bot.outcome()).reason == "evicted_from_meeting"


async def test_a_denied_bot_never_heard_anything(host: Host, bot: Guest) -> None:
    await host.deny(NAME)
    assert (await bot.outcome()).reason == "admission_denied"
    assert not await bot.script("window.__usherTap.hears")


async def test_a_bot_leaves_by_the_platform_s_own_button(host: Host, bot: Guest) -> None:
    await host.admit(NAME)
    await bot.be_inside()
    await bot.leave()
    await host.sees_no(NAME)
