"""The service level: what counts as lost, through whom, and how fast that spends the error budget."""

import pytest

from usher_models.outcomes import Party
from usher_models.service_level import EndCount, service_level


def ends(status: str, fault: str | None, count: int, *, joined: bool = False) -> EndCount:
    return EndCount(platform="zoom", status=status, fault=fault, joined=joined, count=count)


def test_only_what_we_could_have_changed_spends_the_budget() -> None:
    level = service_level(
        [
            ends("completed", "none", 900, joined=True),
            ends("completed", "host", 20, joined=True),
            ends("failed", "host", 40),
            ends("failed", "user", 20),
            ends("failed", "platform", 10),
            ends("failed", "infrastructure", 5),
            ends("failed", "bot", 3, joined=True),
            ends("failed", "usher", 2),
        ]
    )
    assert (level.attempts, level.joined, level.lost_through_us) == (1000, 923, 10)
    assert level.lost[Party.HOST] == 40
    assert level.budget(0.99) == pytest.approx(10)
    assert level.burn_rate(0.99) == pytest.approx(1)
    assert level.burn_rate(0.995) == pytest.approx(2)


def test_an_end_from_before_faults_were_noted_counts_as_the_bots() -> None:
    assert service_level([ends("failed", None, 7)]).lost[Party.BOT] == 7


@pytest.mark.parametrize("fault", ["weather", "none", ""])
def test_a_word_that_is_no_party_stops_no_count(fault: str) -> None:
    level = service_level([ends("failed", fault, 2), ends("failed", "host", 1)])
    assert (level.lost[Party.BOT], level.lost[Party.HOST]) == (2, 1)


def test_nothing_spends_nothing() -> None:
    assert service_level([]).burn_rate(0.99) == 0
