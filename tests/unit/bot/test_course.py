"""A run without commands, signals or limits."""

import asyncio
import inspect

import pytest

from tests.unit.bot.harness import PASSCODE, Harness
from usher_bot.drivers.base import NotJoined
from usher_bot.exit_codes import ADMISSION_DENIED, EVICTED
from usher_bot.settings import Settings


async def test_a_bot_says_started_lobby_joined_and_exited_in_this_order(harness: Harness, settings: Settings) -> None:
    await harness.begin(settings)
    harness.driver.let_in.set()
    await harness.clock.advance(1)
    harness.driver.ends.set()
    outcome = await harness.end()
    assert harness.control_plane.names() == ["started", "status", "joined", "exited"]
    assert (outcome.exit_code, outcome.reason) == (0, "meeting_ended")


async def test_every_call_names_the_connection_the_pod_and_an_event_of_its_own(
    harness: Harness, settings: Settings
) -> None:
    await harness.begin_in_meeting(settings)
    harness.driver.ends.set()
    await harness.end()
    bodies = [call.body for call in harness.control_plane.calls]
    assert {body["connection_id"] for body in bodies} == {settings.connection_id}
    assert {body["container_id"] for body in bodies} == {"pod-1"}
    assert len({body["event_id"] for body in bodies}) == len(bodies)


async def test_sequence_numbers_grow(harness: Harness, settings: Settings) -> None:
    await harness.begin_in_meeting(settings)
    await harness.clock.advance(95)
    numbers = [call.body["seq"] for call in harness.control_plane.calls]
    assert len(numbers) > 4
    assert numbers == sorted(set(numbers))


async def test_the_driver_does_nothing_before_started_was_accepted(harness: Harness, settings: Settings) -> None:
    harness.control_plane.refuse("started", 503)
    await harness.begin(settings)
    await harness.clock.advance(60)
    assert harness.driver.done == []


async def test_the_stage_is_reported_without_a_status(harness: Harness, settings: Settings) -> None:
    await harness.begin(settings)
    (call,) = harness.control_plane.of("status")
    assert (call.method, call.body["stage"]) == ("PATCH", "lobby")
    assert "status" not in call.body


async def test_a_bot_that_is_evicted_says_so_and_exits_with_0(harness: Harness, settings: Settings) -> None:
    harness.driver.outcome = EVICTED
    harness.driver.ends.set()
    await harness.begin_in_meeting(settings)
    await harness.end()
    body = harness.control_plane.of("exited")[0].body
    assert (body["exit_code"], body["reason"]) == (0, "evicted_from_meeting")


async def test_a_bot_that_is_refused_in_the_lobby_exits_with_2(harness: Harness, settings: Settings) -> None:
    harness.driver.error = NotJoined(ADMISSION_DENIED)
    await harness.begin_in_meeting(settings)
    outcome = await harness.end()
    assert (outcome.exit_code, outcome.reason) == (2, "admission_denied")
    assert "joined" not in harness.control_plane.names()


@pytest.mark.parametrize("when", ["while it joins", "in the meeting"])
async def test_a_driver_that_fails_ends_the_run_with_1_and_its_error(
    harness: Harness, settings: Settings, when: str
) -> None:
    await harness.begin(settings)
    if when == "in the meeting":
        harness.driver.let_in.set()
        await harness.clock.advance(1)
    harness.driver.error = RuntimeError("The page is gone.")
    harness.driver.let_in.set()
    harness.driver.ends.set()
    outcome = await harness.end()
    assert (outcome.exit_code, outcome.reason) == (1, "driver_error")
    assert harness.control_plane.of("exited")[0].body["detail"] == "RuntimeError: The page is gone."


async def test_what_a_driver_says_is_bounded_and_free_of_secrets(harness: Harness, settings: Settings) -> None:
    harness.driver.error = RuntimeError(f"{PASSCODE} eyJhbGciOi.eyJzdWIiOi.c2ln " + "x" * 5000)
    await harness.begin_in_meeting(settings)
    await harness.end()
    detail = harness.control_plane.of("exited")[0].body["detail"]
    assert detail.startswith("RuntimeError: *** *** x")
    assert len(detail) == 1000


async def test_the_driver_is_asked_to_leave_once_in_every_run(harness: Harness, settings: Settings) -> None:
    harness.driver.ends.set()
    await harness.begin_in_meeting(settings)
    await harness.end()
    assert harness.driver.done == ["join", "run", "leave"]


def _tasks_of_the_bot() -> set[str]:
    coroutines = [task.get_coro() for task in asyncio.all_tasks()]
    return {
        coro.__qualname__
        for coro in coroutines
        if inspect.iscoroutine(coro) and "usher_bot" in coro.cr_code.co_filename
    }


async def test_no_task_outlives_a_run(harness: Harness, settings: Settings) -> None:
    await harness.begin_in_meeting(settings)
    assert "Lifecycle.run" in _tasks_of_the_bot()
    harness.driver.ends.set()
    await harness.end()
    await harness.clock.settle()
    assert _tasks_of_the_bot() == set()
