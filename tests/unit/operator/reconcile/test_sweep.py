"""Patience: one odd sight proves nothing, and what looks right again starts anew."""

from tests.fakes.clock import FakeClock
from usher_operator.reconcile.sweep import Patience

GRACE_S = 10


def looking(patience: Patience, *things: object, mode: str = "m") -> set[object]:
    return patience.outlasted(set(things), mode=mode, grace_s=GRACE_S)


def test_the_first_sight_is_never_enough(clock: FakeClock) -> None:
    assert looking(Patience(clock), "a") == set()


def test_what_has_looked_wrong_for_the_whole_grace_has_outlasted_it(clock: FakeClock) -> None:
    patience = Patience(clock)
    looking(patience, "a")
    clock.advance(GRACE_S - 0.1)
    assert looking(patience, "a") == set()
    clock.advance(0.1)
    assert looking(patience, "a") == {"a"}


def test_it_stays_so_until_it_looks_right(clock: FakeClock) -> None:
    patience = Patience(clock)
    looking(patience, "a")
    clock.advance(GRACE_S)
    assert looking(patience, "a") == looking(patience, "a") == {"a"}


def test_looking_right_once_starts_the_grace_anew(clock: FakeClock) -> None:
    patience = Patience(clock)
    looking(patience, "a")
    clock.advance(GRACE_S)
    looking(patience)
    assert looking(patience, "a") == set()
    clock.advance(GRACE_S)
    assert looking(patience, "a") == {"a"}


def test_each_thing_has_its_own_grace(clock: FakeClock) -> None:
    patience = Patience(clock)
    looking(patience, "a")
    clock.advance(GRACE_S)
    assert looking(patience, "a", "b") == {"a"}


def test_modes_do_not_disturb_each_other(clock: FakeClock) -> None:
    patience = Patience(clock)
    looking(patience, 1, mode="one")
    looking(patience, 1, mode="other")
    clock.advance(GRACE_S)
    looking(patience, mode="other")
    assert looking(patience, 1, mode="one") == {1}
    assert looking(patience, 1, mode="other") == set()


def test_jobs_are_things_too(clock: FakeClock) -> None:
    patience = Patience(clock)
    looking(patience, ("bots", "bot-1"))
    clock.advance(GRACE_S)
    assert looking(patience, ("bots", "bot-1"), ("bots", "bot-2")) == {("bots", "bot-1")}


def test_a_restart_only_waits_longer(clock: FakeClock) -> None:
    looking(Patience(clock), "a")
    clock.advance(GRACE_S)
    assert looking(Patience(clock), "a") == set()
