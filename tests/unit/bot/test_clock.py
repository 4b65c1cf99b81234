"""Waiting for one of several things, and abandoning what does not end."""

import asyncio

import pytest

from tests.unit.bot.fake_time import FakeClock
from usher_bot.clock import SystemClock, first_of, never, within
from usher_bot.shutdown_deadline import ShutdownDeadline
from usher_bot.tasks import Tasks


async def test_the_real_clock_goes_forward() -> None:
    clock = SystemClock()
    before = clock.now()
    await clock.sleep(0.001)
    assert clock.now() > before


async def test_a_task_that_loses_keeps_running_and_a_coroutine_is_dropped() -> None:
    dropped = asyncio.Event()

    async def slow() -> None:
        try:
            await never()
        finally:
            dropped.set()

    task = asyncio.ensure_future(never())
    await first_of(task, slow(), asyncio.sleep(0))
    await dropped.wait()
    assert not task.done()
    task.cancel()


async def test_within_tells_whether_it_was_in_time(clock: FakeClock) -> None:
    task = asyncio.ensure_future(clock.sleep(5))
    in_three = asyncio.ensure_future(within(task, 3, clock=clock))
    in_seven = asyncio.ensure_future(within(task, 7, clock=clock))
    await clock.advance(7)
    assert (in_three.result(), in_seven.result()) == (False, True)


async def test_tasks_that_end_when_cancelled_are_abandoned_at_once(clock: FakeClock) -> None:
    tasks = Tasks(clock=clock)
    spawned = [tasks.spawn(never()) for _ in range(3)]
    await clock.settle()
    assert await tasks.abandon(within_s=1)
    assert all(task.cancelled() for task in spawned)


async def test_a_task_that_swallows_its_cancellation_is_waited_for_and_no_longer(clock: FakeClock) -> None:
    release = asyncio.Event()

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    tasks = Tasks(clock=clock)
    tasks.spawn(stubborn())
    await clock.settle()
    abandoning = asyncio.ensure_future(tasks.abandon(within_s=2))
    await clock.advance(1.9)
    assert not abandoning.done()
    await clock.advance(0.1)
    assert abandoning.result() is False
    release.set()
    await clock.settle()


async def test_an_error_in_the_background_is_not_logged_if_unread(clock: FakeClock) -> None:
    async def fails() -> None:
        raise RuntimeError("Unread.")

    tasks = Tasks(clock=clock)
    tasks.spawn(fails())
    await clock.settle()
    assert await tasks.abandon(within_s=1)


@pytest.mark.parametrize(("total_s", "for_leaving_s"), [(30, 20), (60, 50), (9, 6)])
async def test_a_signal_leaves_the_driver_its_share_of_the_grace(
    clock: FakeClock, total_s: float, for_leaving_s: float
) -> None:
    deadline = ShutdownDeadline(total_s=total_s, clock=clock)
    deadline.terminate()
    leaving = asyncio.ensure_future(deadline.for_leaving(asyncio.get_running_loop().create_future()))
    await clock.advance(for_leaving_s - 0.1)
    assert not leaving.done()
    await clock.advance(0.1)
    assert leaving.result() is False


async def test_only_the_first_signal_counts(clock: FakeClock) -> None:
    deadline = ShutdownDeadline(total_s=30, clock=clock)
    assert deadline.left_s is None
    deadline.terminate()
    await clock.advance(10)
    deadline.terminate()
    assert deadline.left_s == 20
    await clock.advance(100)
    assert deadline.left_s == 5
