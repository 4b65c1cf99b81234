"""A visit that ends at the door: each refusal by its own name."""

from typing import Any

import pytest

from dev.conference.host import Host
from tests.browser.conftest import MakeGuest


@pytest.mark.parametrize(
    ("door", "reason"),
    [
        ({"limit": 1}, "meeting_full_or_locked"),
        ({"needs_account": True}, "sign_in_needed"),
        ({"shuts_out": True}, "sign_in_needed"),
        ({"password": "swordfish"}, "passcode_needed"),
    ],
)
async def test_a_bot_says_why_it_could_not_come_in(
    host: Host, make_guest: MakeGuest, door: dict[str, Any], reason: str
) -> None:
    await host.set_door(**door)
    outcome = await make_guest().outcome()
    assert (outcome.reason, outcome.exit_code) == (reason, 2)


async def test_a_wrong_passcode_is_not_given_twice(host: Host, make_guest: MakeGuest) -> None:
    await host.set_door(password="swordfish")
    assert (await make_guest(passcode="herring").outcome()).reason == "passcode_wrong"


async def test_the_right_passcode_opens_the_door(host: Host, make_guest: MakeGuest) -> None:
    await host.set_door(password="swordfish", lobby=False)
    bot = make_guest(passcode="swordfish")
    await bot.be_inside()


async def test_a_meeting_without_its_host_has_not_started(host: Host, make_guest: MakeGuest) -> None:
    await host.set_door(needs_moderator=True)
    await host.end()
    outcome = await make_guest(lobby_s=3).outcome()
    assert outcome.reason == "meeting_not_started"


async def test_the_passcode_is_in_no_report(host: Host, make_guest: MakeGuest) -> None:
    await host.set_door(password="swordfish")
    outcome = await make_guest(passcode="herring").outcome()
    assert "herring" not in f"{outcome}"
