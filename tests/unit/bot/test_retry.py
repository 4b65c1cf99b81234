"""How often and how long a callback is tried again."""

from collections.abc import Awaitable, Callable

import pytest

from tests.unit.bot.fake_time import InstantClock
from usher_bot.answers import Answer
from usher_bot.errors import BotError, ConnectionUnknown, MeetingOver, NotApplied, TokenRefused, Unreachable
from usher_bot.retry import Retrier, RetryPolicy

Send = Callable[[], Awaitable[Answer]]


@pytest.fixture
def instant() -> InstantClock:
    return InstantClock()


class Failing:
    """Fails so often, then succeeds."""

    def __init__(self, *errors: BotError) -> None:
        self.errors = list(errors)
        self.tries = 0

    async def __call__(self) -> Answer:
        self.tries += 1
        if self.errors:
            raise self.errors.pop(0)
        return Answer()


async def test_a_call_is_retried_until_it_is_answered(instant: InstantClock) -> None:
    send = Failing(*(Unreachable() for _ in range(5)))
    assert await Retrier(clock=instant).call(send, policy=RetryPolicy(total_s=600)) == Answer()
    assert send.tries == 6


async def test_waits_are_drawn_between_nothing_and_a_doubling_cap(instant: InstantClock) -> None:
    drawn: list[tuple[float, float]] = []

    def jitter(low: float, high: float) -> float:
        drawn.append((low, high))
        return high / 2

    send = Failing(*(Unreachable() for _ in range(9)))
    await Retrier(clock=instant, jitter=jitter).call(send, policy=RetryPolicy(total_s=600))
    assert drawn == [(0, cap) for cap in (0.5, 1, 2, 4, 8, 16, 30, 30, 30)]
    assert instant.slept == [cap / 2 for _, cap in drawn]


async def test_bots_that_fail_together_do_not_come_back_together() -> None:
    returns = set()
    for _ in range(20):
        clock = InstantClock()
        await Retrier(clock=clock).call(Failing(*(Unreachable() for _ in range(4))), policy=RetryPolicy(total_s=600))
        returns.add(round(clock.now(), 3))
    assert len(returns) > 15


async def test_no_try_comes_after_the_horizon(instant: InstantClock) -> None:
    times: list[float] = []

    async def send() -> Answer:
        times.append(instant.now())
        raise Unreachable

    with pytest.raises(Unreachable, match="control plane cannot be reached"):
        await Retrier(clock=instant).call(send, policy=RetryPolicy(total_s=60))
    assert len(times) > 4
    assert times[-1] < 60


async def test_retry_after_is_honoured_and_jittered(instant: InstantClock) -> None:
    send = Failing(Unreachable(retry_after_s=20))
    await Retrier(clock=instant, jitter=lambda _low, high: high).call(send, policy=RetryPolicy(total_s=600))
    assert instant.slept == [20.5]


async def test_retry_after_beyond_reason_is_not_honoured(instant: InstantClock) -> None:
    send = Failing(Unreachable(retry_after_s=1e6))
    await Retrier(clock=instant).call(send, policy=RetryPolicy(total_s=600))
    assert 120 <= instant.now() <= 121


async def test_a_retry_after_beyond_the_horizon_ends_the_tries(instant: InstantClock) -> None:
    send = Failing(Unreachable(retry_after_s=60))
    with pytest.raises(Unreachable, match="control plane cannot be reached"):
        await Retrier(clock=instant).call(send, policy=RetryPolicy(total_s=30))
    assert send.tries == 1


@pytest.mark.parametrize("error", [MeetingOver(), NotApplied(), BotError()])
async def test_an_error_that_a_retry_cannot_help_is_final(instant: InstantClock, error: BotError) -> None:
    send = Failing(error)
    with pytest.raises(type(error), match=str(error)):
        await Retrier(clock=instant).call(send, policy=RetryPolicy(total_s=600))
    assert send.tries == 1


@pytest.mark.parametrize("error", [TokenRefused(), ConnectionUnknown()])
async def test_a_passing_refusal_is_survived(instant: InstantClock, error: BotError) -> None:
    send = Failing(error, error, error)
    assert await Retrier(clock=instant).call(send, policy=RetryPolicy(total_s=600)) == Answer()


async def test_each_kind_of_refusal_has_a_patience_of_its_own(instant: InstantClock) -> None:
    retrier = Retrier(clock=instant)
    assert not retrier.is_final(TokenRefused())
    await instant.sleep(100)
    assert not retrier.is_final(ConnectionUnknown())
    await instant.sleep(30)
    assert retrier.is_final(TokenRefused())
    assert not retrier.is_final(ConnectionUnknown())


async def test_a_short_call_does_not_spend_all_its_time_on_one_try() -> None:
    assert RetryPolicy(total_s=600).try_s == 10
    assert RetryPolicy(total_s=8).try_s == 4
