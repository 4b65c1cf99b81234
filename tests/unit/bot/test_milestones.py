"""Milestones are sent in their order, and stages that a newer one overtook are skipped."""

from tests.unit.bot.harness import Harness
from usher_bot.settings import Settings


async def test_joined_waits_behind_a_milestone_that_is_being_tried(harness: Harness, settings: Settings) -> None:
    harness.control_plane.refuse("status", 503)
    await harness.begin(settings)
    harness.driver.let_in.set()
    await harness.clock.advance(30)
    assert "joined" not in harness.control_plane.names()
    harness.control_plane.recover()
    await harness.until(lambda: "joined" in harness.control_plane.names())
    assert harness.control_plane.names()[-2:] == ["status", "joined"]


async def test_a_stage_that_a_newer_one_overtook_is_skipped(harness: Harness, settings: Settings) -> None:
    await harness.begin_in_meeting(settings)
    assert harness.control_plane.names() == ["started", "joined"]


async def test_exited_waits_a_moment_for_the_milestones_before_it(harness: Harness, settings: Settings) -> None:
    harness.control_plane.refuse("joined", 503, times=1)
    harness.driver.ends.set()
    await harness.begin_in_meeting(settings)
    await harness.end()
    assert harness.control_plane.names() == ["started", "joined", "joined", "exited"]


async def test_exited_does_not_wait_long_for_the_milestones_before_it(harness: Harness, settings: Settings) -> None:
    harness.control_plane.refuse("joined", 503)
    harness.driver.ends.set()
    await harness.begin_in_meeting(settings)
    await harness.end()
    assert harness.control_plane.names()[-1] == "exited"
    assert harness.control_plane.of("exited")[0].at == 2
