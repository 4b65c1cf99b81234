"""When stale bots may be failed, and when the fault is more likely Usher's own."""

from dataclasses import replace

import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr

from tests.fakes.clock import FakeClock
from usher_operator.reconcile.silence.brownout import Brownout, Fleet
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


@pytest.mark.parametrize(("stale", "live"), [(0, 0), (1, 1), (4, 4), (5, 10), (11, 20), (55, 100)])
def test_a_few_stale_bots_may_be_failed(guard: Brownout, stale: int, live: int) -> None:
    assert guard.may_fail(Fleet(stale=stale, live=live))


@pytest.mark.parametrize(("stale", "live"), [(5, 5), (6, 10), (12, 20), (56, 100), (1000, 1000)])
def test_no_bot_is_failed_while_most_of_the_fleet_is_stale(guard: Brownout, stale: int, live: int) -> None:
    assert not guard.may_fail(Fleet(stale=stale, live=live))


@pytest.mark.parametrize(("live", "may_fail"), [(4, False), (5, True)])
def test_a_fleet_is_small_below_the_number_that_makes_a_majority(guard: Brownout, live: int, may_fail: bool) -> None:
    assert guard.may_fail(Fleet(live=live, stale=1, reporting=3, late=3)) is may_fail


def test_a_brownout_ends_when_the_bots_report_again(guard: Brownout, clock: FakeClock) -> None:
    assert not guard.may_fail(Fleet(stale=90, live=100))
    clock.advance(60)
    assert guard.may_fail(Fleet(stale=2, live=100))


def test_a_brownout_lasts_until_every_bot_had_the_time_to_report_after_the_last_late_majority(
    guard: Brownout, clock: FakeClock
) -> None:
    assert not guard.may_fail(Fleet(stale=90, live=100))
    clock.advance(10)
    assert not guard.may_fail(Fleet(stale=60, live=100))
    clock.advance(10)
    assert not guard.may_fail(Fleet(stale=40, live=100))
    assert guard.active
    clock.advance(19)
    assert not guard.may_fail(Fleet(stale=2, live=100))
    clock.advance(1)
    assert guard.may_fail(Fleet(stale=2, live=100))
    assert not guard.active


def test_bots_that_missed_all_heartbeats_but_one_are_a_majority_before_the_first_reaches_its_limit(
    guard: Brownout,
) -> None:
    assert not guard.may_fail(Fleet(stale=1, live=100, late=95, reporting=100))


def test_a_brownout_does_not_depend_on_bots_that_have_never_reported(guard: Brownout) -> None:
    assert not guard.may_fail(Fleet(stale=6, live=100, late=10, reporting=10))


def test_a_brownout_that_reached_its_limit_is_not_prolonged_by_the_bots_it_let_fail(
    guard: Brownout, clock: FakeClock
) -> None:
    assert not guard.may_fail(Fleet(stale=90, live=100))
    clock.advance(900)
    assert guard.may_fail(Fleet(stale=90, live=100))
    clock.advance(10)
    assert guard.may_fail(Fleet(stale=40, live=50))
    clock.advance(10)
    assert guard.may_fail(Fleet(stale=10, live=50))


def test_a_brownout_is_bounded_because_every_meeting_must_end(guard: Brownout, clock: FakeClock) -> None:
    assert not guard.may_fail(Fleet(stale=90, live=100))
    clock.advance(899)
    assert not guard.may_fail(Fleet(stale=90, live=100))
    clock.advance(1)
    assert guard.may_fail(Fleet(stale=90, live=100))


def test_a_new_leader_fails_no_bot_before_every_bot_had_the_time_to_report(guard: Brownout, clock: FakeClock) -> None:
    guard.follows()
    assert not guard.may_fail(Fleet(stale=1, live=100))
    guard.leads()
    clock.advance(29)
    guard.leads()
    assert not guard.may_fail(Fleet(stale=1, live=100))
    clock.advance(1)
    assert guard.may_fail(Fleet(stale=1, live=100))


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_small_fleet_that_is_late_as_a_whole_may_not_be_failed_for_a_while(
    guard: Brownout, clock: FakeClock, size: int
) -> None:
    late = Fleet(live=size, stale=0, reporting=size, late=size)
    assert not guard.may_fail(late)
    clock.advance(guard.settings.brownout_small_fleet_s - 1)
    assert not guard.may_fail(replace(late, stale=size))
    clock.advance(1)
    assert guard.may_fail(replace(late, stale=size))
    # What it lets fail does not begin another one.
    clock.advance(1)
    assert guard.may_fail(Fleet(live=0, stale=0))


@pytest.mark.parametrize(
    "fleet",
    [
        pytest.param(Fleet(live=2, stale=1, reporting=2, late=1), id="one of two reports"),
        pytest.param(Fleet(live=3, stale=1), id="none has reported yet"),
        pytest.param(Fleet(live=6, stale=2, reporting=2, late=2), id="no small fleet"),
    ],
)
def test_a_bot_that_died_alone_may_be_failed(guard: Brownout, fleet: Fleet) -> None:
    assert guard.may_fail(fleet)


def test_the_protection_of_small_fleets_can_be_switched_off(guard: Brownout) -> None:
    guard.settings = guard.settings.model_copy(update={"brownout_small_fleet_s": 0})
    assert guard.may_fail(Fleet(live=1, stale=1, reporting=1, late=1))


def test_a_brownout_is_shown_by_its_metric(guard: Brownout, clock: FakeClock) -> None:
    assert guard.may_fail(Fleet(live=100, stale=2))
    assert REGISTRY.get_sample_value("usher_brownout_active") == 0
    assert not guard.may_fail(Fleet(live=100, stale=90))
    assert REGISTRY.get_sample_value("usher_brownout_active") == 1
