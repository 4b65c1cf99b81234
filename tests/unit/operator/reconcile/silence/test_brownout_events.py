"""The Events that tell of a brownout stand on the BotRequests concerned, once at its begin and once at its end."""

from dataclasses import replace

import pytest

from tests.fakes.bots import a_bot_row
from tests.fakes.kube import FakeKube
from usher_operator.kube.api_budget import ApiBudget
from usher_operator.reconcile.silence.brownout_events import EVENTS_AT_MOST, BrownoutEvents

BOT = replace(a_bot_row(), request_namespace="team-a", request_name="standup", request_uid="uid-1")


@pytest.fixture
def kube() -> FakeKube:
    return FakeKube()


@pytest.fixture
def events(kube: FakeKube) -> BrownoutEvents:
    return BrownoutEvents(kube)


async def test_an_event_names_the_botrequest_by_namespace_name_and_uid(events: BrownoutEvents, kube: FakeKube) -> None:
    await events.post([BOT], ApiBudget(), active=True)
    (event,) = kube.events
    assert event["metadata"]["namespace"] == "team-a"
    about = event["involvedObject"]
    assert (about["namespace"], about["name"], about["uid"]) == ("team-a", "standup", "uid-1")
    assert (event["type"], event["reason"]) == ("Warning", "StaleChecksPaused")


async def test_it_is_told_once_when_it_begins_and_once_when_it_ends(events: BrownoutEvents, kube: FakeKube) -> None:
    for active in (False, True, True, False, False):
        await events.post([BOT], ApiBudget(), active=active)
    told = [(event["type"], event["reason"]) for event in kube.events]
    assert told == [("Warning", "StaleChecksPaused"), ("Normal", "StaleChecksResumed")]


async def test_a_few_are_told_and_only_those_with_a_botrequest(events: BrownoutEvents, kube: FakeKube) -> None:
    nameless = replace(BOT, request_namespace=None, request_name=None, request_uid=None)
    bots = [replace(BOT, request_name=f"standup-{number}") for number in range(EVENTS_AT_MOST + 3)]
    await events.post([nameless, *bots], ApiBudget(), active=True)
    assert [event["involvedObject"]["name"] for event in kube.events] == [
        bot.request_name for bot in bots[:EVENTS_AT_MOST]
    ]
