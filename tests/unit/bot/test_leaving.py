"""Leaving because somebody wants it: by command or by signal, in every phase."""

from pathlib import Path

import pytest

from tests.unit.bot.world import World, some_settings
from usher_bot.drivers.base import Faults
from usher_bot.settings import Settings
from usher_models.wire import leave_command


async def test_a_leave_command_in_the_meeting_says_stopping_then_exited(world: World, settings: Settings) -> None:
    await world.begin_in_meeting(settings)
    world.control_plane.commands = [leave_command(42)]
    outcome = await world.end()
    assert (outcome.exit_code, outcome.reason) == (0, "stopped")
    assert world.control_plane.names() == ["started", "joined", "status", "exited"]
    stopping = world.control_plane.of("status")[-1].body
    assert (stopping["status"], stopping["stage"]) == ("stopping", "leaving")


async def test_a_bot_leaves_the_lobby_when_asked(world: World, settings: Settings) -> None:
    await world.begin(settings)
    world.control_plane.commands = [leave_command(42)]
    outcome = await world.end()
    assert outcome.reason == "stopped"
    assert world.driver.done == ["join", "leave"]
    assert "joined" not in world.control_plane.names()


async def test_a_bot_that_learns_to_leave_from_the_reply_to_started_never_joins(
    world: World, settings: Settings
) -> None:
    world.control_plane.commands, world.control_plane.commands_on = [leave_command(42)], "started"
    await world.begin(settings)
    outcome = await world.end()
    assert outcome.reason == "stopped"
    assert world.driver.done == ["leave"]
    assert world.control_plane.names() == ["started", "status", "exited"]


async def test_a_leave_command_repeated_in_every_reply_is_carried_out_once(world: World, settings: Settings) -> None:
    world.control_plane.commands = [leave_command(42), leave_command(42)]
    await world.begin(settings)
    await world.end()
    assert world.driver.done == ["leave"]
    assert len(world.control_plane.of("exited")) == 1


async def test_sigterm_makes_the_bot_leave_and_report(world: World, settings: Settings) -> None:
    await world.begin_in_meeting(settings)
    assert world.life.terminate()
    outcome = await world.end()
    assert (outcome.exit_code, outcome.reason) == (0, "stopped")
    assert world.control_plane.names()[-2:] == ["status", "exited"]


async def test_sigterm_before_started_was_accepted_ends_the_life_within_the_grace(
    world: World, settings: Settings
) -> None:
    for name in ("started", "status", "exited"):
        world.control_plane.refuse(name, 503)
    await world.begin(settings)
    await world.clock.advance(5)
    world.life.terminate()
    outcome = await world.end()
    assert outcome.reason == "stopped"
    assert world.clock.now() <= 5 + settings.leave_grace_s


async def test_a_driver_that_does_not_leave_is_abandoned_in_time_to_report(world: World, settings: Settings) -> None:
    world.driver.leaves = False
    await world.begin_in_meeting(settings)
    world.life.terminate()
    await world.until(lambda: "exited" in world.control_plane.names())
    assert world.clock.now() == settings.leave_grace_s - 10
    outcome = await world.end()
    assert outcome.reason == "stopped"
    assert world.clock.now() <= settings.leave_grace_s


async def test_an_abandoned_driver_is_cancelled_before_the_bot_says_that_it_is_out(
    world: World, settings: Settings
) -> None:
    world.driver.leaves = False
    world.control_plane.refuse("exited", 503)
    await world.begin_in_meeting(settings)
    world.life.terminate()
    await world.until(lambda: "exited" in world.control_plane.names())
    assert world.driver.done[-1] == "swallowed a cancellation"


async def test_without_a_signal_a_driver_has_the_whole_grace_to_leave(world: World, settings: Settings) -> None:
    world.driver.leaves = False
    world.control_plane.commands = [leave_command(42)]
    await world.begin_in_meeting(settings)
    await world.until(lambda: "exited" in world.control_plane.names())
    assert world.clock.now() == settings.leave_grace_s


async def test_sigterm_while_leaving_shortens_the_time_to_leave(world: World, settings: Settings) -> None:
    world.driver.leaves = False
    world.control_plane.commands = [leave_command(42)]
    await world.begin_in_meeting(settings)
    await world.clock.advance(5)
    world.life.terminate()
    await world.until(lambda: "exited" in world.control_plane.names())
    assert world.clock.now() == 5 + settings.leave_grace_s - 10


async def test_sigterm_while_reporting_limits_the_report_to_the_grace(world: World, settings: Settings) -> None:
    world.control_plane.refuse("exited", 503)
    world.driver.ends.set()
    await world.begin_in_meeting(settings)
    await world.clock.advance(60)
    world.life.terminate()
    outcome = await world.end()
    assert outcome.reason == "meeting_ended"
    assert world.clock.now() == 60 + settings.leave_grace_s


async def test_a_short_grace_still_leaves_a_useful_time_to_report(world: World, token_file: Path) -> None:
    world.driver.leaves = False
    world.control_plane.refuse("exited", 503, times=2)
    await world.begin_in_meeting(some_settings(token_file, leave_grace_s=1))
    world.life.terminate()
    await world.end()
    assert len(world.control_plane.of("exited")) == 3


async def test_without_a_signal_exited_is_tried_for_ten_minutes(world: World, settings: Settings) -> None:
    world.control_plane.refuse("exited", 503)
    world.driver.ends.set()
    await world.begin_in_meeting(settings)
    outcome = await world.end()
    assert outcome.exit_code == 0
    assert 500 < world.clock.now() <= 602


async def test_exited_reaches_a_control_plane_that_comes_back(world: World, settings: Settings) -> None:
    world.control_plane.refuse("exited", 503)
    world.driver.ends.set()
    await world.begin_in_meeting(settings)
    await world.clock.advance(300)
    world.control_plane.recover()
    await world.end()
    assert len({call.body["event_id"] for call in world.control_plane.of("exited")}) == 1
    assert world.clock.now() < 360


@pytest.mark.parametrize("by", ["command", "signal"])
async def test_a_bot_that_ignores_leave_lives_on_and_beats(world: World, settings: Settings, by: str) -> None:
    world.driver.let_in.set()
    await world.begin(settings, faults=Faults(deaf=True))
    if by == "command":
        world.control_plane.commands = [leave_command(42)]
    else:
        assert not world.life.terminate()
    await world.clock.advance(300)
    assert world.lives
    assert world.driver.done == ["join", "run"]
    assert len(world.control_plane.of("heartbeat")) == 10
