"""Grace periods: one odd look proves nothing, and what looks right again starts anew."""

from tests.fakes.clock import FakeClock
from usher_operator.reconcile.grace import Grace

GRACE_S = 10


def looking(grace: Grace, *things: object, mode: str = "m") -> set[object]:
    return grace.over(set(things), mode=mode, grace_s=GRACE_S)


def test_the_first_look_is_never_enough(clock: FakeClock) -> None:
    assert looking(Grace(clock), "a") == set()


def test_what_has_looked_wrong_for_the_whole_grace_is_over_it(clock: FakeClock) -> None:
    grace = Grace(clock)
    looking(grace, "a")
    clock.advance(GRACE_S - 0.1)
    assert looking(grace, "a") == set()
    clock.advance(0.1)
    assert looking(grace, "a") == {"a"}


def test_it_stays_so_until_it_looks_right(clock: FakeClock) -> None:
    grace = Grace(clock)
    looking(grace, "a")
    clock.advance(GRACE_S)
    assert looking(grace, "a") == looking(grace, "a") == {"a"}


def test_looking_right_once_starts_the_grace_anew(clock: FakeClock) -> None:
    grace = Grace(clock)
    looking(grace, "a")
    clock.advance(GRACE_S)
    looking(grace)
    assert looking(grace, "a") == set()
    clock.advance(GRACE_S)
    assert looking(grace, "a") == {"a"}


def test_each_thing_has_its_own_grace(clock: FakeClock) -> None:
    grace = Grace(clock)
    looking(grace, "a")
    clock.advance(GRACE_S)
    assert looking(grace, "a", "b") == {"a"}


def test_modes_do_not_disturb_each_other(clock: FakeClock) -> None:
    grace = Grace(clock)
    looking(grace, 1, mode="one")
    looking(grace, 1, mode="other")
    clock.advance(GRACE_S)
    looking(grace, mode="other")
    assert looking(grace, 1, mode="one") == {1}
    assert looking(grace, 1, mode="other") == set()


def test_jobs_are_things_too(clock: FakeClock) -> None:
    grace = Grace(clock)
    looking(grace, ("bots", "bot-1"))
    clock.advance(GRACE_S)
    assert looking(grace, ("bots", "bot-1"), ("bots", "bot-2")) == {("bots", "bot-1")}


def test_a_restart_only_waits_longer(clock: FakeClock) -> None:
    looking(Grace(clock), "a")
    clock.advance(GRACE_S)
    assert looking(Grace(clock), "a") == set()
