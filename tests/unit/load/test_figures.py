"""What the benchmarks' figures are held to, and what counts as missed."""

import math

import pytest

from tests.load.bench import figures
from tests.load.bench.__main__ import BENCHMARKS, _verdict
from tests.load.bench.figures import Bound, Figure

HELD_TO = {
    "fast": Bound(what="a latency", of="requests", at_most=10),
    "many": Bound(what="a rate", of="heartbeats", at_least=5),
    "share": Bound(what="a share", of="heartbeats", ratio=0.5),
}
GOOD = [
    Figure(name="fast", value=10, unit="ms"),
    Figure(name="many", value=5, unit="/s"),
    Figure(name="share", value=5, unit="/s", ceiling=10),
]


def misses(*found: Figure) -> list[str]:
    """What is missed if both benchmarks ran."""
    return figures.misses(found, HELD_TO, ran=["requests", "heartbeats"])


def test_figures_within_their_bounds_are_not_missed() -> None:
    assert misses(*GOOD) == []


@pytest.mark.parametrize(
    "bad",
    [
        Figure(name="fast", value=10.1, unit="ms"),
        Figure(name="fast", value=math.nan, unit="ms"),
        Figure(name="many", value=4.9, unit="/s"),
        Figure(name="share", value=4.9, unit="/s", ceiling=10),
        Figure(name="share", value=100, unit="/s"),
    ],
)
def test_a_figure_outside_its_bound_is_missed(bad: Figure) -> None:
    assert misses(*(bad if figure.name == bad.name else figure for figure in GOOD)) == [bad.name]


def test_a_bound_whose_figure_is_not_produced_any_more_is_missed() -> None:
    assert misses(*GOOD[1:]) == ["fast"]


def test_a_bound_of_a_benchmark_that_did_not_run_is_not_missed() -> None:
    assert figures.misses(GOOD[1:], HELD_TO, ran=["heartbeats"]) == []


@pytest.mark.parametrize(
    ("missed", "failed", "code"),
    [
        ([], [], 0),
        (["known"], [], 0),
        (["known", "news"], [], 1),
        ([], ["requests (ValueError)"], 1),
        (["known"], ["requests (ValueError)"], 1),
    ],
)
def test_a_new_miss_is_an_error_and_a_known_one_is_said(
    missed: list[str], failed: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _verdict(missed, failed, known={"known": "for a reason"}) == code
    said = capsys.readouterr().err
    assert all(f"missed: {name}" in said for name in missed)
    assert ("for a reason" in said) is ("known" in missed)


@pytest.mark.parametrize("profile", ["full", "quick"])
def test_each_bound_names_the_benchmark_that_measures_it(profile: str) -> None:
    assert {bound.of for bound in figures.bounds(profile).values()} <= set(BENCHMARKS)


@pytest.mark.parametrize("profile", ["full", "quick"])
def test_what_is_known_to_be_missed_has_a_bound_and_a_reason(profile: str) -> None:
    known = figures.known_misses(profile)
    assert set(known) <= set(figures.bounds(profile))
    assert all(known.values())


def test_the_quick_profile_bounds_latencies() -> None:
    quick = figures.bounds("quick")
    assert all(quick[name].at_most for name in ("heartbeat p50", "POST /bots p50", "requests p50"))
