"""What is left of the grace after SIGTERM, and for what."""

import asyncio

import pytest

from tests.unit.bot.fake_time import FakeClock
from usher_bot.shutdown_deadline import LONGEST_REPORT_RESERVE_S, USEFUL_REPORT_S, ShutdownDeadline


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def waited(clock: FakeClock, deadline: ShutdownDeadline, *, reporting: bool = False) -> float:
    """How long a task that never ends is waited for."""
    forever: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    began = clock.now()
    waiting = asyncio.ensure_future(deadline.for_reporting(forever) if reporting else deadline.for_leaving(forever))
    await clock.run_until(waiting.done)
    assert not waiting.result()
    return round(clock.now() - began, 3)


@pytest.mark.parametrize(("total_s", "left_s"), [(1.2, 0.8), (30, 20), (90, 90 - LONGEST_REPORT_RESERVE_S)])
async def test_a_part_of_the_grace_is_kept_for_the_last_report(clock: FakeClock, total_s: float, left_s: float) -> None:
    deadline = ShutdownDeadline(total_s=total_s, clock=clock)
    deadline.terminate()
    assert await waited(clock, deadline) == pytest.approx(left_s)


async def test_a_driver_that_is_not_hurried_gets_the_whole_grace(clock: FakeClock) -> None:
    assert await waited(clock, ShutdownDeadline(total_s=30, clock=clock)) == 30


async def test_nothing_is_waited_for_when_the_grace_is_over(clock: FakeClock) -> None:
    deadline = ShutdownDeadline(total_s=30, clock=clock)
    deadline.terminate()
    await clock.advance(60)
    assert await waited(clock, deadline) == 0


async def test_a_report_always_gets_a_useful_time(clock: FakeClock) -> None:
    deadline = ShutdownDeadline(total_s=30, clock=clock)
    assert deadline.left_s is None
    deadline.terminate()
    assert deadline.left_s == 30
    await clock.advance(60)
    assert deadline.left_s == USEFUL_REPORT_S
    assert await waited(clock, deadline, reporting=True) == USEFUL_REPORT_S


async def test_only_the_first_sigterm_counts(clock: FakeClock) -> None:
    deadline = ShutdownDeadline(total_s=30, clock=clock)
    deadline.terminate()
    await clock.advance(10)
    deadline.terminate()
    assert deadline.left_s == 20
