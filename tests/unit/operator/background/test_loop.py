"""The loop of background work: it goes on whatever fails, and says what failed."""

import asyncio
import logging
from collections.abc import Callable

import pytest

from usher_models.errors import DatabaseUnavailable
from usher_operator.background.loop import Messages, attempt, repeat

MESSAGES = Messages(action="cleaning", postponed="Cleaned later", failed="Could not be cleaned")


class Stopped(Exception):
    """The test has seen enough."""


def pauses_of(limit: int) -> tuple[list[float], Callable[[float], object]]:
    """The pauses that a loop took; it is ended in its `limit`th."""
    taken: list[float] = []

    async def pause(seconds: float) -> None:
        taken.append(seconds)
        if len(taken) == limit:
            raise Stopped

    return taken, pause


async def returns(value: float | None) -> float | None:
    return value


async def raises(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(("value", "pause_s"), [(None, 30), (5, 5), (0, 0)])
async def test_a_loop_pauses_for_its_interval_or_as_long_as_its_work_says(value: float | None, pause_s: float) -> None:
    taken, pause = pauses_of(2)
    with pytest.raises(Stopped):
        await repeat(lambda: returns(value), MESSAGES, every_s=30, pause=pause)  # type: ignore[arg-type]
    assert taken == [pause_s, pause_s]


@pytest.mark.parametrize(
    ("error", "action", "level"),
    [
        (DatabaseUnavailable("The database is away."), "cleaning_postponed", logging.WARNING),
        (ZeroDivisionError(), "cleaning_failed", logging.ERROR),
    ],
)
async def test_a_loop_goes_on_after_an_error_and_logs_it(
    caplog: pytest.LogCaptureFixture, error: Exception, action: str, level: int
) -> None:
    taken, pause = pauses_of(2)
    with pytest.raises(Stopped):
        await repeat(lambda: raises(error), MESSAGES, every_s=7, pause=pause)  # type: ignore[arg-type]
    assert taken == [7, 7]
    assert [(record.__dict__["action"], record.levelno) for record in caplog.records] == [(action, level)] * 2


async def test_a_loop_ends_when_it_is_stopped() -> None:
    stop = asyncio.Event()

    async def work() -> None:
        stop.set()

    async def pause(_: float) -> None:
        assert stop.is_set()

    await repeat(work, MESSAGES, every_s=1, pause=pause, stopped=stop.is_set)


async def test_a_loop_that_is_cancelled_ends() -> None:
    task = asyncio.create_task(repeat(lambda: returns(None), MESSAGES, every_s=3600))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_attempt_gives_what_its_work_returned() -> None:
    assert await attempt(lambda: returns(3.5), MESSAGES) == 3.5
