"""What the rows say of BotRequests that are listed: only those of which nothing is left to do are known."""

from typing import Any

import pytest

from tests.fakes.objects import a_botrequest
from tests.scenario import BotInTheMaking, Scenario
from usher_models.db.bots import Bot
from usher_operator.kube.botrequest import BotRequest
from usher_operator.watch.processed_generations import ProcessedGenerations


def request_of(bot: Bot, **fields: Any) -> BotRequest:
    made = a_botrequest(bot.request_name or "", uid=bot.request_uid, connectionId=bot.connection_id, **fields)
    return BotRequest.from_object(made)


def with_a_job(given: Scenario) -> BotInTheMaking:
    return given.a_bot(request_generation=1).with_job()


async def known(given: Scenario, request: BotRequest) -> bool:
    return await ProcessedGenerations(given.database).contains(request, listed=True)


async def test_a_bot_with_its_job_and_one_that_has_ended_are_known(given: Scenario) -> None:
    lives, ended = await with_a_job(given), await with_a_job(given).starting().active().completed()
    processed = ProcessedGenerations(given.database)
    assert await processed.contains(request_of(lives), listed=True)
    assert await processed.contains(request_of(ended), listed=True)
    assert await processed.contains(request_of(lives), listed=False), "it is remembered"


async def test_a_bot_without_a_job_and_a_request_without_a_row_are_not(given: Scenario) -> None:
    waiting = await given.a_bot(request_generation=1)
    assert not await known(given, request_of(waiting))
    assert not await known(given, BotRequest.from_object(a_botrequest("standup", uid="nobody's")))


@pytest.mark.parametrize("news", [{"generation": 2}, {"desiredState": "Left"}])
async def test_a_change_that_was_not_carried_out_is_news(given: Scenario, news: dict[str, Any]) -> None:
    bot = await with_a_job(given)
    assert not await known(given, request_of(bot, **news))


async def test_a_bot_that_was_told_to_leave_needs_no_second_word(given: Scenario) -> None:
    bot = await with_a_job(given).starting().active().asked_to_leave()
    assert await known(given, request_of(bot, desiredState="Left"))


async def test_what_was_not_listed_is_not_looked_up(given: Scenario) -> None:
    bot = await with_a_job(given)
    assert not await ProcessedGenerations(given.database).contains(request_of(bot), listed=False)
