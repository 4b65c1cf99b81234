"""When silence may be judged, and when it is more likely Usher's own."""

import pytest
from pydantic import SecretStr

from tests.fakes.clock import FakeClock
from usher_operator.reconcile.silence.brownout import Brownout
from usher_operator.settings import Settings


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def guard(clock: FakeClock) -> Brownout:
    """A guard that has led for long."""
    settings = Settings(database_url=SecretStr("postgresql+psycopg://nobody@nowhere/nothing"))
    guard = Brownout(settings=settings, clock=clock)
    guard.leads()
    clock.advance(settings.heartbeat_interval_s)
    return guard


@pytest.mark.parametrize(("silent", "live"), [(0, 0), (1, 1), (4, 4), (5, 10), (11, 20), (55, 100)])
def test_a_few_silent_bots_are_judged(guard: Brownout, silent: int, live: int) -> None:
    assert guard.may_judge(silent=silent, live=live)


@pytest.mark.parametrize(("silent", "live"), [(5, 5), (6, 10), (12, 20), (56, 100), (1000, 1000)])
def test_when_most_of_the_fleet_is_silent_nothing_is_judged(guard: Brownout, silent: int, live: int) -> None:
    assert not guard.may_judge(silent=silent, live=live)


def test_a_hold_releases_itself_when_the_bots_are_heard_again(guard: Brownout, clock: FakeClock) -> None:
    assert not guard.may_judge(silent=90, live=100)
    clock.advance(60)
    assert guard.may_judge(silent=2, live=100)


def test_a_hold_lasts_until_every_bot_had_the_time_to_beat_after_the_last_silent_majority(
    guard: Brownout, clock: FakeClock
) -> None:
    assert not guard.may_judge(silent=90, live=100)
    clock.advance(10)
    assert not guard.may_judge(silent=60, live=100)
    clock.advance(10)
    assert not guard.may_judge(silent=40, live=100)
    assert guard.holding
    clock.advance(19)
    assert not guard.may_judge(silent=2, live=100)
    clock.advance(1)
    assert guard.may_judge(silent=2, live=100)
    assert not guard.holding


def test_bots_that_missed_all_beats_but_one_are_a_silent_majority_before_the_first_reaches_its_limit(
    guard: Brownout,
) -> None:
    assert not guard.may_judge(silent=1, live=100, quiet=95, speaking=100)


def test_a_hold_does_not_depend_on_bots_that_have_never_spoken(guard: Brownout) -> None:
    assert not guard.may_judge(silent=6, live=100, quiet=10, speaking=10)


def test_a_hold_that_reached_its_limit_is_not_prolonged_by_what_it_let_through(
    guard: Brownout, clock: FakeClock
) -> None:
    assert not guard.may_judge(silent=90, live=100)
    clock.advance(900)
    assert guard.may_judge(silent=90, live=100)
    clock.advance(10)
    assert guard.may_judge(silent=40, live=50)
    clock.advance(10)
    assert guard.may_judge(silent=10, live=50)


def test_a_hold_is_bounded_because_every_meeting_must_end(guard: Brownout, clock: FakeClock) -> None:
    assert not guard.may_judge(silent=90, live=100)
    clock.advance(899)
    assert not guard.may_judge(silent=90, live=100)
    clock.advance(1)
    assert guard.may_judge(silent=90, live=100)


def test_a_new_leader_judges_nothing_before_every_bot_had_the_time_to_beat(guard: Brownout, clock: FakeClock) -> None:
    guard.follows()
    assert not guard.may_judge(silent=1, live=100)
    guard.leads()
    clock.advance(29)
    guard.leads()
    assert not guard.may_judge(silent=1, live=100)
    clock.advance(1)
    assert guard.may_judge(silent=1, live=100)
