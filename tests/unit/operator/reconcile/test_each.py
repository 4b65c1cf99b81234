"""Work on many things within a sweep is bounded, and what is left is left to the next sweep."""

import asyncio

import pytest

from usher_models.errors import DatabaseUnavailable
from usher_operator.reconcile.each import AT_ONCE, each


async def test_every_thing_is_worked_on_once() -> None:
    done: list[int] = []

    async def work(number: int) -> None:
        done.append(number)

    await each(range(50), work, mode="m")
    assert sorted(done) == list(range(50))


async def test_things_that_take_too_long_are_left_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    began: list[int] = []

    async def work(number: int) -> None:
        began.append(number)
        await asyncio.sleep(3600)

    await each(range(50), work, mode="m", limit_s=0.05)
    assert len(began) == AT_ONCE
    (record,) = caplog.records
    assert (record.__dict__["action"], record.__dict__["left"]) == ("repairs_left", 50 - AT_ONCE)


async def test_things_that_always_hang_do_not_keep_the_same_others_waiting() -> None:
    """A few sweeps over things of which more hang than are worked on at once: all others get their turn."""
    done: set[int] = set()

    async def work(number: int) -> None:
        if number < AT_ONCE:
            await asyncio.sleep(3600)
        done.add(number)

    for _ in range(60):
        await each(range(AT_ONCE + 4), work, mode="m", limit_s=0.005)
    assert done == set(range(AT_ONCE, AT_ONCE + 4))


async def test_an_error_of_the_work_is_raised() -> None:
    async def work(_: int) -> None:
        raise DatabaseUnavailable

    with pytest.raises(DatabaseUnavailable, match="The database cannot be reached"):
        await each(range(10), work, mode="m")


async def test_an_error_is_raised_once_the_others_are_done() -> None:
    done: set[int] = set()

    async def work(number: int) -> None:
        if number == 0:
            raise DatabaseUnavailable
        await asyncio.sleep(0.01)
        done.add(number)

    with pytest.raises(DatabaseUnavailable, match="The database cannot be reached"):
        await each(range(10), work, mode="m")
    assert done == set(range(1, 10))
