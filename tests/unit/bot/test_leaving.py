"""Leaving by command or by signal, in every phase."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.unit.bot.fake_redis import FakeRedis
from tests.unit.bot.harness import Harness, some_settings
from usher_bot.drivers.base import Faults
from usher_bot.settings import Settings
from usher_models.wire import leave_command


@pytest.fixture
async def redis() -> AsyncIterator[FakeRedis]:
    redis = FakeRedis()
    yield redis
    await redis.close()


async def test_a_leave_command_in_the_meeting_says_stopping_then_exited(harness: Harness, settings: Settings) -> None:
    await harness.begin_in_meeting(settings)
    harness.control_plane.commands = [leave_command(42)]
    outcome = await harness.end()
    assert (outcome.exit_code, outcome.reason) == (0, "stopped")
    assert harness.control_plane.names() == ["started", "joined", "status", "exited"]
    stopping = harness.control_plane.of("status")[-1].body
    assert (stopping["status"], stopping["stage"]) == ("stopping", "leaving")


async def test_a_bot_leaves_the_lobby_when_asked(harness: Harness, settings: Settings) -> None:
    await harness.begin(settings)
    harness.control_plane.commands = [leave_command(42)]
    outcome = await harness.end()
    assert outcome.reason == "stopped"
    assert harness.driver.done == ["join", "leave"]
    assert "joined" not in harness.control_plane.names()


async def test_a_bot_that_learns_to_leave_from_the_reply_to_started_never_joins(
    harness: Harness, settings: Settings
) -> None:
    harness.control_plane.commands, harness.control_plane.commands_on = [leave_command(42)], "started"
    await harness.begin(settings)
    outcome = await harness.end()
    assert outcome.reason == "stopped"
    assert harness.driver.done == ["leave"]
    assert harness.control_plane.names() == ["started", "status", "exited"]


async def test_a_leave_command_on_redis_ends_the_bot_without_a_reply(
    harness: Harness, token_file: Path, redis: FakeRedis
) -> None:
    await harness.begin_in_meeting(some_settings(token_file, redis_url=await redis.open()))
    async with asyncio.timeout(1.5):
        while len(redis.subscribed) < 2:  # noqa: ASYNC110 -- the subscription is made over a socket
            await asyncio.sleep(0.001)
        redis.publish("bot_commands:meeting:42", leave_command(42).model_dump_json().encode())
        while "leave" not in harness.driver.done:  # noqa: ASYNC110 -- the command arrives over a socket
            await asyncio.sleep(0.001)
    assert (await harness.end()).reason == "stopped"


async def test_a_repeated_leave_command_is_carried_out_once(harness: Harness, settings: Settings) -> None:
    harness.control_plane.commands = [leave_command(42), leave_command(42)]
    await harness.begin(settings)
    await harness.end()
    assert harness.driver.done == ["leave"]
    assert len(harness.control_plane.of("exited")) == 1


@pytest.mark.parametrize("first", ["leave", "sigterm"])
async def test_the_first_of_leave_and_sigterm_gives_the_reason(
    harness: Harness, settings: Settings, first: str
) -> None:
    harness.driver.leaves = False
    await harness.begin_in_meeting(settings)
    if first == "sigterm":
        harness.lifecycle.terminate()
        await harness.clock.settle()
    harness.control_plane.commands = [leave_command(42)]
    await harness.clock.advance(29.9 if first == "sigterm" else 31)
    harness.lifecycle.terminate()
    outcome = await harness.end()
    assert outcome.reason == {"leave": "stopped", "sigterm": "terminated"}[first]


@pytest.mark.parametrize("name", ["started", "joined"])
async def test_a_bot_that_is_terminated_outside_its_meeting_never_exits_with_0(
    harness: Harness, settings: Settings, name: str
) -> None:
    harness.control_plane.refuse("started", 503, times=10 if name == "started" else 0)
    await harness.begin(settings)
    harness.lifecycle.terminate()
    outcome = await harness.end()
    assert (outcome.exit_code, outcome.reason) == (2, "terminated")


async def test_a_terminated_bot_says_which_callback_was_not_delivered(harness: Harness, settings: Settings) -> None:
    harness.control_plane.refuse("started", 503)
    await harness.begin(settings)
    await harness.clock.advance(5)
    harness.lifecycle.terminate()
    outcome = await harness.end()
    assert "/bots/internal/callback/started answered HTTP 503 with" in outcome.message


async def test_sigterm_makes_the_bot_leave_and_report(harness: Harness, settings: Settings) -> None:
    await harness.begin_in_meeting(settings)
    assert harness.lifecycle.terminate()
    outcome = await harness.end()
    assert (outcome.exit_code, outcome.reason) == (0, "terminated")
    assert harness.control_plane.names()[-2:] == ["status", "exited"]


async def test_sigterm_before_started_was_accepted_ends_the_run_in_time(harness: Harness, settings: Settings) -> None:
    for name in ("started", "status", "exited"):
        harness.control_plane.refuse(name, 503)
    await harness.begin(settings)
    await harness.clock.advance(5)
    harness.lifecycle.terminate()
    outcome = await harness.end()
    assert outcome.reason == "terminated"
    assert harness.clock.now() <= 5 + settings.leave_grace_s


async def test_a_driver_that_does_not_leave_is_abandoned_in_time(harness: Harness, settings: Settings) -> None:
    harness.driver.leaves = False
    await harness.begin_in_meeting(settings)
    harness.lifecycle.terminate()
    await harness.until(lambda: "exited" in harness.control_plane.names())
    assert harness.clock.now() == settings.leave_grace_s - 10
    outcome = await harness.end()
    assert outcome.reason == "terminated"
    assert harness.clock.now() <= settings.leave_grace_s


async def test_an_abandoned_driver_is_cancelled_before_the_bot_says_that_it_is_out(
    harness: Harness, settings: Settings
) -> None:
    harness.driver.leaves = False
    harness.control_plane.refuse("exited", 503)
    await harness.begin_in_meeting(settings)
    harness.lifecycle.terminate()
    await harness.until(lambda: "exited" in harness.control_plane.names())
    assert harness.driver.done[-1] == "swallowed a cancellation"


async def test_without_a_signal_a_driver_has_the_whole_grace_to_leave(harness: Harness, settings: Settings) -> None:
    harness.driver.leaves = False
    harness.control_plane.commands = [leave_command(42)]
    await harness.begin_in_meeting(settings)
    await harness.until(lambda: "exited" in harness.control_plane.names())
    assert harness.clock.now() == settings.leave_grace_s


async def test_sigterm_while_leaving_shortens_the_time_to_leave(harness: Harness, settings: Settings) -> None:
    harness.driver.leaves = False
    harness.control_plane.commands = [leave_command(42)]
    await harness.begin_in_meeting(settings)
    await harness.clock.advance(5)
    harness.lifecycle.terminate()
    await harness.until(lambda: "exited" in harness.control_plane.names())
    assert harness.clock.now() == 5 + settings.leave_grace_s - 10


async def test_sigterm_while_reporting_limits_the_report_to_the_grace(harness: Harness, settings: Settings) -> None:
    harness.control_plane.refuse("exited", 503)
    harness.driver.ends.set()
    await harness.begin_in_meeting(settings)
    await harness.clock.advance(60)
    harness.lifecycle.terminate()
    outcome = await harness.end()
    assert outcome.reason == "meeting_ended"
    assert harness.clock.now() <= 60 + settings.leave_grace_s
    assert harness.control_plane.of("exited")[-1].at > 60 + settings.leave_grace_s - 5


async def test_sigterm_cuts_the_back_off_of_exited_short(harness: Harness, settings: Settings) -> None:
    harness.control_plane.refuse("exited", 503, headers={"Retry-After": "110"})
    harness.driver.ends.set()
    await harness.begin_in_meeting(settings)
    await harness.clock.advance(60)
    harness.control_plane.recover()
    harness.lifecycle.terminate()
    await harness.end()
    assert harness.control_plane.of("exited")[-1].at == 60
    assert len({call.body["event_id"] for call in harness.control_plane.of("exited")}) == 1


async def test_after_sigterm_only_one_report_of_the_exit_is_under_way(harness: Harness, settings: Settings) -> None:
    harness.control_plane.refuse("exited", 503, headers={"Retry-After": "5"})
    harness.driver.ends.set()
    await harness.begin_in_meeting(settings)
    await harness.clock.advance(60)
    before = len(harness.control_plane.of("exited"))
    harness.lifecycle.terminate()
    await harness.end()
    after = [call.at for call in harness.control_plane.of("exited")][before:]
    # Two seconds between two tries at least, whose first is made at once.
    assert all(later - earlier >= 2 for earlier, later in pairwise(after))


async def test_a_short_grace_still_leaves_a_useful_time_to_report(harness: Harness, token_file: Path) -> None:
    harness.driver.leaves = False
    harness.control_plane.refuse("exited", 503, times=2)
    await harness.begin_in_meeting(some_settings(token_file, leave_grace_s=1))
    harness.lifecycle.terminate()
    await harness.end()
    assert len(harness.control_plane.of("exited")) == 3


async def test_without_a_signal_exited_is_tried_for_ten_minutes(harness: Harness, settings: Settings) -> None:
    harness.control_plane.refuse("exited", 503)
    harness.driver.ends.set()
    await harness.begin_in_meeting(settings)
    outcome = await harness.end()
    assert outcome.exit_code == 0
    assert 500 < harness.clock.now() <= 602


async def test_exited_reaches_a_control_plane_that_comes_back(harness: Harness, settings: Settings) -> None:
    harness.control_plane.refuse("exited", 503)
    harness.driver.ends.set()
    await harness.begin_in_meeting(settings)
    await harness.clock.advance(300)
    harness.control_plane.recover()
    await harness.end()
    assert len({call.body["event_id"] for call in harness.control_plane.of("exited")}) == 1
    assert harness.clock.now() < 360


@pytest.mark.parametrize("by", ["command", "signal"])
async def test_a_bot_that_ignores_leave_goes_on_with_heartbeats(harness: Harness, settings: Settings, by: str) -> None:
    harness.driver.let_in.set()
    await harness.begin(settings, faults=Faults(ignores_leave=True))
    if by == "command":
        harness.control_plane.commands = [leave_command(42)]
    else:
        assert not harness.lifecycle.terminate()
    await harness.clock.advance(300)
    assert harness.is_running
    assert harness.driver.done == ["join", "run"]
    assert len(harness.control_plane.of("heartbeat")) == 10
