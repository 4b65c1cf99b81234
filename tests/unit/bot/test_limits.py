"""The two limits of a run: the lobby timeout and the maximum duration."""

from pathlib import Path

from tests.unit.bot.harness import Harness, some_settings
from usher_bot.settings import Settings


async def test_a_bot_that_is_not_admitted_exits_with_2(harness: Harness, settings: Settings) -> None:
    await harness.begin(settings)
    await harness.clock.advance(settings.lobby_timeout_s - 1)
    assert harness.is_running
    outcome = await harness.end()
    assert (outcome.exit_code, outcome.reason) == (2, "admission_timeout")
    assert harness.control_plane.of("exited")[0].at == settings.lobby_timeout_s
    assert harness.driver.done == ["join", "leave"]


async def test_the_lobby_timeout_means_nothing_to_a_bot_in_the_meeting(harness: Harness, settings: Settings) -> None:
    await harness.begin_in_meeting(settings)
    await harness.clock.advance(settings.lobby_timeout_s * 2)
    assert harness.is_running


async def test_a_bot_leaves_after_the_maximum_duration(harness: Harness, token_file: Path) -> None:
    await harness.begin_in_meeting(some_settings(token_file, max_duration_s=3600))
    outcome = await harness.end()
    assert (outcome.exit_code, outcome.reason) == (0, "max_duration_exceeded")
    assert harness.control_plane.of("exited")[0].at == 3600
    assert harness.control_plane.of("status")[-1].body["status"] == "stopping"


async def test_the_limits_begin_when_started_was_accepted(harness: Harness, settings: Settings) -> None:
    harness.control_plane.refuse("started", 503)
    await harness.begin(settings)
    await harness.clock.advance(300)
    harness.control_plane.recover()
    await harness.until(lambda: harness.driver.done == ["join"])
    began = harness.clock.now()
    await harness.end()
    assert harness.control_plane.of("exited")[0].at == began + settings.lobby_timeout_s


async def test_the_maximum_duration_outside_the_meeting_never_exits_with_0(harness: Harness, token_file: Path) -> None:
    await harness.begin(some_settings(token_file, max_duration_s=60, lobby_timeout_s=900))
    outcome = await harness.end()
    assert (outcome.exit_code, outcome.reason) == (2, "max_duration_exceeded")
