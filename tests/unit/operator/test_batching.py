"""Questions that arrive together: one statement for all that wait, and to each its own answer."""

import asyncio
import logging

import pytest

from usher_models.errors import DatabaseUnavailable, NotLeading, Unavailable
from usher_operator.batching import Batcher


class Statement:
    """Answers a batch with each question in capitals, once `open`; raises `error` when told to."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.error: Exception | None = None

    async def __call__(self, asked: list[str]) -> dict[str, str]:
        self.batches.append(asked)
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return {each: each.upper() for each in asked if each != "unknown"}


@pytest.fixture
def statement() -> Statement:
    return Statement()


@pytest.fixture
def together(statement: Statement) -> Batcher[str, str]:
    return Batcher(statement, at_once=3)


def ask(together: Batcher[str, str], *questions: str) -> list[asyncio.Task[str | None]]:
    return [asyncio.create_task(together.ask(each, each)) for each in questions]


async def test_each_is_given_its_own_answer_and_the_unknown_none(together: Batcher[str, str]) -> None:
    assert await asyncio.gather(*ask(together, "a", "unknown", "b")) == ["A", None, "B"]


async def test_what_comes_while_one_statement_is_on_its_way_shares_the_next(
    together: Batcher[str, str], statement: Statement
) -> None:
    statement.open.clear()
    first = ask(together, "a")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others = ask(together, "b", "c", "d", "e")
    await asyncio.sleep(0)
    statement.open.set()
    await asyncio.gather(*first, *others)
    assert statement.batches == [["a"], ["b", "c", "d"], ["e"]]


async def test_who_asks_twice_is_in_two_batches(together: Batcher[str, str], statement: Statement) -> None:
    await asyncio.gather(*ask(together, "a", "a", "b"))
    assert statement.batches == [["a"], ["a", "b"]]


@pytest.mark.parametrize("error", [DatabaseUnavailable(), NotLeading()])
async def test_what_a_later_try_may_cure_is_everybodys_error(
    together: Batcher[str, str], statement: Statement, error: Unavailable
) -> None:
    statement.error = error
    outcomes = await asyncio.gather(*ask(together, "a", "b"), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(error), type(error)]
    statement.error = None
    assert await together.ask("c", "c") == "C", "and it goes on"


async def test_a_question_that_breaks_the_statement_leaves_each_to_be_tried_by_itself(
    together: Batcher[str, str], statement: Statement, caplog: pytest.LogCaptureFixture
) -> None:
    statement.error = ValueError("One of them is at fault.")
    with caplog.at_level(logging.ERROR):
        assert await asyncio.gather(*ask(together, "a", "b")) == [None, None]
    assert [record.__dict__["action"] for record in caplog.records] == ["together_failed"]


async def test_who_does_not_wait_any_longer_does_not_keep_the_others_from_their_answers(
    together: Batcher[str, str], statement: Statement
) -> None:
    statement.open.clear()
    gone, stays = ask(together, "a", "b")
    await asyncio.sleep(0)
    gone.cancel()
    statement.open.set()
    assert await stays == "B"
