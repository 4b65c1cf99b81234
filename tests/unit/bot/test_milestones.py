"""Milestones are told in their order, and stages that nobody needs any more are not told."""

from tests.unit.bot.world import World
from usher_bot.settings import Settings


async def test_joined_waits_behind_a_milestone_that_is_being_tried(world: World, settings: Settings) -> None:
    world.control_plane.refuse("status", 503)
    await world.begin(settings)
    world.driver.let_in.set()
    await world.clock.advance(30)
    assert "joined" not in world.control_plane.names()
    world.control_plane.recover()
    await world.until(lambda: "joined" in world.control_plane.names())
    assert world.control_plane.names()[-2:] == ["status", "joined"]


async def test_a_stage_followed_by_something_newer_is_left_out(world: World, settings: Settings) -> None:
    await world.begin_in_meeting(settings)
    assert world.control_plane.names() == ["started", "joined"]


async def test_exited_waits_a_moment_for_the_milestones_before_it(world: World, settings: Settings) -> None:
    world.control_plane.refuse("joined", 503, times=1)
    world.driver.ends.set()
    await world.begin_in_meeting(settings)
    await world.end()
    assert world.control_plane.names() == ["started", "joined", "joined", "exited"]


async def test_exited_does_not_wait_long_for_the_milestones_before_it(world: World, settings: Settings) -> None:
    world.control_plane.refuse("joined", 503)
    world.driver.ends.set()
    await world.begin_in_meeting(settings)
    await world.end()
    assert world.control_plane.names()[-1] == "exited"
    assert world.control_plane.of("exited")[0].at == 2
