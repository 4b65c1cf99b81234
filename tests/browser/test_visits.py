"""A visit, from the first page to each of its ends, in our own conference's pages and in Jitsi's."""

import pytest

from dev.conference.host import Host
from tests.browser.conftest import MakeGuest
from tests.browser.guest import NAME
from usher_models.states import Stage


async def test_a_bot_waits_in_the_lobby_until_the_host_admits_it(host: Host, make_guest: MakeGuest) -> None:
    bot = make_guest()
    await bot.reach(Stage.LOBBY)
    assert bot.stages == [Stage.JOINING, Stage.LOBBY]
    assert not bot.is_inside.is_set()
    await host.admit(NAME)
    await bot.be_inside()
    assert bot.driver.is_alive


async def test_a_denied_bot_says_that_it_was_denied(host: Host, make_guest: MakeGuest) -> None:
    bot = make_guest()
    await bot.reach(Stage.LOBBY)
    await host.deny(NAME)
    assert (await bot.outcome()).reason == "admission_denied"


async def test_a_bot_that_is_never_admitted_says_that_it_timed_out(host: Host, make_guest: MakeGuest) -> None:
    bot = make_guest(lobby_s=3)
    outcome = await bot.outcome()
    assert (outcome.reason, outcome.exit_code, outcome.leaves) == ("admission_timeout", 2, True)
    await bot.leave()
    await host.sees_no(NAME)


@pytest.mark.parametrize(("act", "reason"), [("remove", "evicted_from_meeting"), ("end", "meeting_ended")])
async def test_a_bot_says_who_ended_its_stay(host: Host, make_guest: MakeGuest, act: str, reason: str) -> None:
    bot = make_guest()
    await bot.reach(Stage.LOBBY)
    await host.admit(NAME)
    await bot.be_inside()
    await (host.remove(NAME) if act == "remove" else host.end())
    assert (await bot.outcome()).reason == reason


async def test_a_bot_counts_the_others_and_leaves_when_it_is_alone(host: Host, make_guest: MakeGuest) -> None:
    bot = make_guest(alone_s=2)
    await bot.reach(Stage.LOBBY)
    await host.admit(NAME)
    await bot.be_inside()
    await bot.meets(1)
    await host.leave()
    outcome = await bot.outcome()
    assert (outcome.reason, outcome.leaves) == ("left_alone", True)


@pytest.mark.parametrize("stage", [Stage.LOBBY, Stage.IN_MEETING])
async def test_a_bot_that_is_told_to_leave_is_gone_for_the_others(
    host: Host, make_guest: MakeGuest, stage: Stage
) -> None:
    bot = make_guest()
    await bot.reach(Stage.LOBBY)
    if stage is Stage.IN_MEETING:
        await host.admit(NAME)
        await bot.be_inside()
    await bot.leave()
    await host.sees_no(NAME)


async def test_a_bot_is_never_heard(host: Host, make_guest: MakeGuest) -> None:
    bot = make_guest()
    await bot.reach(Stage.LOBBY)
    await host.admit(NAME)
    await bot.be_inside()
    await bot.hears()
    assert await host.loudest(seconds=2) < 0.001
