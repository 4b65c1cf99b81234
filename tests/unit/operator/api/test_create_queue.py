"""BotRequests behind the answers: all are made, also at the end, and none of the failures stops the others."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from tests.fakes.bots import a_bot_row
from usher_models.db.bots import Bot
from usher_models.errors import DatabaseUnavailable, KubernetesUnavailable
from usher_operator.api import create_queue
from usher_operator.api.create_queue import CreateQueue


class RequestCreator:
    """Records the bots it is given, once `open`; raises what `wrong` says."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.open = asyncio.Event()
        self.open.set()
        self.wrong: Callable[[Bot], Exception | None] = lambda _: None

    async def prepare(self) -> None:
        raise DatabaseUnavailable

    async def request(self, bot: Bot) -> bool:
        await self.open.wait()
        error = self.wrong(bot)
        if error is not None:
            raise error
        self.asked.append(bot.meeting_id)
        return True


@pytest.fixture
def requester() -> RequestCreator:
    return RequestCreator()


@pytest.fixture
def queue(requester: RequestCreator) -> CreateQueue:
    return CreateQueue(requester, pause_s=0)  # type: ignore[arg-type]


@asynccontextmanager
async def working(queue: CreateQueue) -> AsyncIterator[None]:
    async with asynccontextmanager(queue.working)(web.Application()):
        yield


async def test_at_its_end_the_queue_makes_what_is_still_in_it(requester: RequestCreator, queue: CreateQueue) -> None:
    requester.open.clear()
    async with working(queue):
        for number in range(50):
            queue.put(a_bot_row(meeting_id=number))
        assert requester.asked == []
        requester.open.set()
    assert sorted(requester.asked) == list(range(50))


async def test_an_api_server_that_never_answers_does_not_hold_up_the_end(
    requester: RequestCreator, queue: CreateQueue, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(create_queue, "FINISH_WITHIN_S", 0.01)
    requester.open.clear()
    async with working(queue):
        queue.put(a_bot_row(meeting_id=1))
    assert [record.__dict__["action"] for record in caplog.records] == ["requests_left"]


@pytest.mark.parametrize("error", [KubernetesUnavailable("It is away."), RuntimeError("A bug.")])
async def test_one_that_fails_is_left_to_the_reconciler_and_the_others_are_made(
    requester: RequestCreator, queue: CreateQueue, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    requester.wrong = lambda bot: error if bot.meeting_id % 2 else None
    async with working(queue):
        for number in range(40):
            queue.put(a_bot_row(meeting_id=number))
    assert sorted(requester.asked) == list(range(0, 40, 2))
    assert len(caplog.records) == 20


async def test_an_api_server_that_is_away_is_not_asked_for_each_of_those_that_wait(
    requester: RequestCreator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(create_queue, "FINISH_WITHIN_S", 0.01)
    queue = CreateQueue(requester, pause_s=3600)  # type: ignore[arg-type]
    refused: list[int] = []

    def wrong(bot: Bot) -> Exception:
        refused.append(bot.meeting_id)
        return KubernetesUnavailable("It is away.")

    requester.wrong = wrong
    async with working(queue):
        for number in range(100):
            queue.put(a_bot_row(meeting_id=number))
    assert refused == list(range(create_queue.CONCURRENCY))


async def test_a_queue_that_is_full_keeps_nobody_waiting(
    requester: RequestCreator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(create_queue, "MAX_QUEUED", 2)
    queue = CreateQueue(requester)  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            queue.put(a_bot_row(meeting_id=number))
    assert [record.__dict__["meeting_id"] for record in caplog.records] == [2]
    async with working(queue):
        pass
    assert sorted(requester.asked) == [0, 1]
