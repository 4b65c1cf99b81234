"""A delivery is tried for about a day, never at once, and never for ever."""

from hypothesis import given
from hypothesis import strategies as st

from usher_operator.webhooks.backoff import DELAYS_S, JITTER, retry_in_s


def test_the_tries_last_about_a_day() -> None:
    assert 0.9 * 86_400 < sum(DELAYS_S) <= 86_400


def test_the_waits_never_get_shorter() -> None:
    assert list(DELAYS_S) == sorted(DELAYS_S)


@given(attempts=st.integers(min_value=0, max_value=1000))
def test_every_wait_is_near_the_schedule_and_the_end_is_the_end(attempts: int) -> None:
    wait = retry_in_s(attempts)
    if attempts > len(DELAYS_S):
        assert wait is None
    else:
        assert wait is not None
        assert abs(wait / DELAYS_S[max(attempts, 1) - 1] - 1) <= JITTER + 1e-9
