"""A BotRequest is new to the process only if nobody can have admitted it before."""

from datetime import timedelta

import pytest

from tests.fakes.clock import FakeClock
from tests.fakes.objects import a_botrequest
from usher_operator.kube.botrequest import BotRequest
from usher_operator.lifecycle.first_tries import NEW_FOR, FirstTries


def a_request(clock: FakeClock, *, age_s: float = 0, name: str = "standup") -> BotRequest:
    body = a_botrequest(name)
    body["metadata"]["creationTimestamp"] = (clock.now() - timedelta(seconds=age_s)).isoformat()
    return BotRequest.from_object(body)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def first_tries(clock: FakeClock) -> FirstTries:
    """Of a process that has led for an hour."""
    return FirstTries(clock.now, leading_for_s=lambda: 3600)


def test_a_request_that_was_just_created_is_tried_for_the_first_time_once(
    clock: FakeClock, first_tries: FirstTries
) -> None:
    request = a_request(clock, age_s=1)
    assert [first_tries.is_first(request) for _ in range(2)] == [True, False]
    assert first_tries.is_first(a_request(clock, name="other"))


def test_a_request_stays_tried_as_long_as_it_could_count_as_new(clock: FakeClock, first_tries: FirstTries) -> None:
    request = a_request(clock)
    first_tries.is_first(request)
    clock.advance(NEW_FOR.total_seconds() - 1)
    first_tries.is_first(a_request(clock, name="other"))
    assert not first_tries.is_first(request)
    clock.advance(2)
    assert not first_tries.is_first(request)


@pytest.mark.parametrize("leading_for_s", [0.0, 1.0])
def test_a_request_from_before_the_process_led_may_have_been_admitted(clock: FakeClock, leading_for_s: float) -> None:
    assert not FirstTries(clock.now, leading_for_s=lambda: leading_for_s).is_first(a_request(clock, age_s=1))


def test_a_request_that_was_seen_while_another_process_led_may_have_been_admitted(
    clock: FakeClock, first_tries: FirstTries
) -> None:
    first_tries.leave_to_leader(a_request(clock))
    assert not first_tries.is_first(a_request(clock))


def test_an_old_request_or_one_without_a_time_may_have_been_admitted(clock: FakeClock, first_tries: FirstTries) -> None:
    assert not first_tries.is_first(a_request(clock, age_s=NEW_FOR.total_seconds()))
    assert not first_tries.is_first(BotRequest.from_object(a_botrequest("timeless")))
