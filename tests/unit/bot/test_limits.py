"""The two limits of a life: the lobby and the whole."""

from pathlib import Path

from tests.unit.bot.world import World, some_settings
from usher_bot.settings import Settings


async def test_a_bot_that_nobody_lets_in_exits_with_2_after_the_lobby_timeout(world: World, settings: Settings) -> None:
    await world.begin(settings)
    await world.clock.advance(settings.lobby_timeout_s - 1)
    assert world.lives
    outcome = await world.end()
    assert (outcome.exit_code, outcome.reason) == (2, "admission_timeout")
    assert world.control_plane.of("exited")[0].at == settings.lobby_timeout_s
    assert world.driver.done == ["join", "leave"]


async def test_the_lobby_timeout_means_nothing_to_a_bot_in_the_meeting(world: World, settings: Settings) -> None:
    await world.begin_in_meeting(settings)
    await world.clock.advance(settings.lobby_timeout_s * 2)
    assert world.lives


async def test_a_bot_leaves_after_the_maximum_duration(world: World, token_file: Path) -> None:
    await world.begin_in_meeting(some_settings(token_file, max_duration_s=3600))
    outcome = await world.end()
    assert (outcome.exit_code, outcome.reason) == (0, "max_duration_exceeded")
    assert world.control_plane.of("exited")[0].at == 3600
    assert world.control_plane.of("status")[-1].body["status"] == "stopping"


async def test_the_limits_begin_when_started_was_accepted(world: World, settings: Settings) -> None:
    world.control_plane.refuse("started", 503)
    await world.begin(settings)
    await world.clock.advance(300)
    world.control_plane.recover()
    await world.until(lambda: world.driver.done == ["join"])
    began = world.clock.now()
    await world.end()
    assert world.control_plane.of("exited")[0].at == began + settings.lobby_timeout_s
