"""Which tests a mutant is tried with, what is in the lists, and when a run passes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.mutants import lists, report, sql_changes
from tests.mutants.coverage_map import CoverageMap
from tests.mutants.mutant import Mutant
from tests.mutants.report import Result
from tests.mutants.source import Source

ROOT = Path(__file__).resolve().parents[3]
CODE = """
IS_OLD = "a < now() AND b"
_QUERY = text(f"SELECT 1 WHERE {IS_OLD}")
_OTHER = text("SELECT 2 WHERE c AND d")


def old(connection):
    return connection.execute(_QUERY)


def other(connection):
    return connection.execute(_OTHER)
"""
A_SOURCE = Source("models/usher_models/db/old.py", CODE.lstrip().encode())
LINES = {7: {"tests/unit/test_far.py::test_a", "tests/unit/db/test_old.py::test_b"}, 11: {"tests/unit/t.py::test_c"}}


@pytest.fixture
def coverage_map() -> CoverageMap:
    """A map of one file."""
    seconds = {"tests/unit/test_far.py::test_a": 0.1, "tests/unit/db/test_old.py::test_b": 2.0}
    return CoverageMap({A_SOURCE.path: A_SOURCE}, {A_SOURCE.path: LINES}, seconds)


@pytest.fixture
def tests_of(coverage_map: CoverageMap) -> Callable[[Mutant], list[str]]:
    return coverage_map.tests_of


@pytest.mark.parametrize(("within_s", "count"), [(3, 2), (2.05, 1), (0, 1)])
def test_a_mutant_is_tried_with_its_nearest_tests_for_so_long(
    coverage_map: CoverageMap, within_s: float, count: int
) -> None:
    (mutant,) = [each for each in sql_changes.mutants(A_SOURCE) if (each.scope, each.old) == ("IS_OLD", "AND")]
    assert coverage_map.nearest(mutant, within_s=within_s) == coverage_map.tests_of(mutant)[:count]


def test_a_statement_is_tried_with_the_tests_of_what_uses_it_and_the_nearest_first(
    tests_of: Callable[[Mutant], list[str]],
) -> None:
    by_scope = {mutant.scope: mutant for mutant in sql_changes.mutants(A_SOURCE) if mutant.old == "AND"}
    assert tests_of(by_scope["IS_OLD"]) == ["tests/unit/db/test_old.py::test_b", "tests/unit/test_far.py::test_a"]
    assert tests_of(by_scope["_OTHER"]) == ["tests/unit/t.py::test_c"]


def test_a_line_is_tried_with_the_tests_that_run_it(tests_of: Callable[[Mutant], list[str]]) -> None:
    (mutant,) = [each for each in lists.mutants_of(A_SOURCE) if each.scope == "other"]
    assert tests_of(mutant) == ["tests/unit/t.py::test_c"]


def test_the_named_mutants_are_there_and_have_names_of_their_own() -> None:
    named = lists.named(lists.sources(ROOT))
    assert len({mutant.name for mutant in named}) == len(named) >= 20
    assert all(mutant.tests or mutant.path not in mutant.name for mutant in named)


def test_each_equivalent_mutant_is_one_that_could_be_drawn_and_says_why() -> None:
    known = lists.sources(ROOT)
    every = lists.all_mutants(ROOT, lists.plan().modules, known)
    entries = lists._read("equivalent.yaml")
    assert len(every) - len(lists.without_equivalents(every)) == len(entries)
    assert all(entry["why"] for entry in entries)


def test_every_module_that_is_named_exists() -> None:
    assert all(list(ROOT.glob(pattern)) for pattern in lists.plan().modules)


def results(*, drawn: int, killed: int, named_killed: bool = True) -> list[Result]:
    mutant = sql_changes.mutants(A_SOURCE)[0]
    named = Result(mutant=replace(mutant, name="named"), killed=named_killed, killer="", took_s=1, tests=1)
    return [named] + [
        Result(mutant=mutant, killed=number < killed, killer="", took_s=1, tests=1) for number in range(drawn)
    ]


@pytest.mark.parametrize(
    ("tried", "passes"),
    [
        (results(drawn=100, killed=97), True),
        (results(drawn=100, killed=96), False),
        (results(drawn=100, killed=100, named_killed=False), False),
        (results(drawn=0, killed=0), True),
    ],
)
def test_a_run_passes_if_enough_were_killed_and_each_that_has_a_name(tried: list[Result], passes: bool) -> None:
    assert report.passes(tried, lists.plan()) is passes
