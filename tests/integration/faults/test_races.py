"""The races of the fault runs find the fault that they are there for, and nothing with every guard in place."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.faults import heartbeat_races, reservation_races
from tests.faults.figures import Figure, Scale
from usher_models.db import reservations, stale_rules

ATTEMPTS = 400


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Races that take a second."""
    monkeypatch.setattr(reservation_races, "CONNECTIONS", 8)
    monkeypatch.setattr(reservation_races, "USERS", 4)
    monkeypatch.setattr(reservation_races, "CAPS", (1, 2))
    for name, value in {"QUICK_RACES": 20, "STOCK": 200, "HANDS": 1}.items():
        monkeypatch.setattr(heartbeat_races, name, value)


def broken(figures: list[Figure]) -> list[str]:
    """The names of the figures that are not kept."""
    return [figure.name for figure in figures if not figure.ok]


@pytest.mark.parametrize(
    ("weaken", "found"),
    [(lambda lock: lock, []), (lambda lock: lock.replace("FOR NO KEY UPDATE", ""), ["users over their cap"])],
    ids=["with the lock", "without the lock"],
)
async def test_the_race_for_slots_finds_a_missing_lock(weaken: Callable[[str], str], found: list[str]) -> None:
    lock = weaken(reservations.LOCK_USER.text)
    assert broken(await reservation_races.race(ATTEMPTS, scale=Scale(), lock=lock)) == found


async def test_the_race_of_heartbeats_finds_a_sweep_that_does_not_look_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def unguarded(*_: object, **__: object) -> tuple[str, dict[str, Any]]:
        return "true", {}

    monkeypatch.setattr(stale_rules, "guard", unguarded)
    assert "rows failed that had a heartbeat accepted" in broken(await heartbeat_races.run(Scale(quick=True)))
