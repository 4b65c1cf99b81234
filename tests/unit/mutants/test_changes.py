"""Which changes are tried, of programs and of SQL."""

from textwrap import dedent

import pytest

from tests.mutants import python_changes, sql_changes
from tests.mutants.mutant import Mutant
from tests.mutants.source import Source


def source(code: str) -> Source:
    return Source("module.py", dedent(code).lstrip("\n").encode())


def changed(code: str) -> set[str]:
    """The last line of each mutant of a program that has a change in its last line."""
    return {_last_line(code, mutant) for mutant in python_changes.mutants(source(code))}


def _last_line(code: str, mutant: Mutant) -> str:
    return mutant.applied(source(code).raw).decode().rstrip("\n").rpartition("\n")[2].strip()


def changed_sql(sql: str) -> set[str]:
    """Each mutant of a statement."""
    code = source(f'_QUERY = text("{sql}")\n')
    return {mutant.applied(code.raw).decode()[15:-3] for mutant in sql_changes.mutants(code)}


@pytest.mark.parametrize(
    ("line", "mutants"),
    [
        ("return a < b", {"return a <= b", "return a >= b", "return None"}),
        ("return a is not b", {"return a is b", "return None"}),
        ("return a not in b", {"return a in b", "return None"}),
        ("return a and b", {"return a or b", "return a", "return b", "return None"}),
        ("return not a", {"return (a)", "return None"}),
        ("return a + 1", {"return a - 1", "return a + 2", "return None"}),
        ("return min(a, b)", {"return max(a, b)", "return None"}),
        ("return True", {"return False"}),
        ("return Status.FAILED", {"return Status.COMPLETED", "return None"}),
        ("a.b = c", {"pass"}),
        ("a += 1", {"a += 2", "pass"}),
        ("await a()", {"pass"}),
        ("raise a", {"pass"}),
        ("return a if b else c", {"return a if not (b) else c", "return None"}),
        ("return {A.b, A.c}", {"return {A.c}", "return {A.b,}", "return None"}),
        ("logger.warning('a', extra={'b': 1})", set()),
        ("assert a < b", set()),
        ("return 'a' + b", {"return None"}),
        ("return f'{a + 1}'", {"return None"}),
        ("a: int = b", set()),
    ],
)
def test_each_small_mistake_of_a_line_is_tried(line: str, mutants: set[str]) -> None:
    assert changed(f"async def f(a, b, c):\n    {line}\n") == mutants


def test_a_condition_is_turned_around() -> None:
    code = "def f(a):\n    if a:\n        return 1\n"
    assert "if not (a):" in {mutant.applied(source(code).raw).decode().split("\n")[1].strip() for mutant in _all(code)}


def test_an_error_that_is_handled_is_let_through_instead() -> None:
    code = "def f(a):\n    try:\n        a()\n    except ValueError:\n        return 1\n"
    assert any(
        mutant.applied(source(code).raw).decode().endswith("except ValueError:\n        raise\n")
        for mutant in _all(code)
    )


def _all(code: str) -> list[Mutant]:
    return python_changes.mutants(source(code))


def test_numbers_outside_functions_and_docstrings_are_left_alone() -> None:
    assert changed('"""A < B and C."""\nLIMIT = 8\nclass A:\n    """True."""\n    b: int = 3\n') == set()


def test_two_changes_of_the_same_words_have_different_keys() -> None:
    mutants = python_changes.mutants(source("def f(a, b, c):\n    return g(a + b, a + b)\n"))
    assert len({mutant.key for mutant in mutants}) == len(mutants)


@pytest.mark.parametrize(
    ("sql", "mutants"),
    [
        ("SELECT max(a) FROM t", {"SELECT min(a) FROM t"}),
        ("SELECT 1 WHERE a = b", {"SELECT 1 WHERE a <> b"}),
        ("SELECT 1 WHERE a < b", {"SELECT 1 WHERE a <= b", "SELECT 1 WHERE a >= b"}),
        ("SELECT 1 WHERE NOT EXISTS (c)", {"SELECT 1 WHERE EXISTS (c)"}),
        ("SELECT 1 WHERE EXISTS (c)", {"SELECT 1 WHERE NOT EXISTS (c)"}),
        ("SELECT 1 WHERE a IS NULL", {"SELECT 1 WHERE a IS NOT NULL"}),
        ("SELECT 1 WHERE a IS DISTINCT FROM b", {"SELECT 1 WHERE a IS NOT DISTINCT FROM b"}),
        ("SELECT 1 WHERE a IS NOT DISTINCT FROM b", {"SELECT 1 WHERE a IS DISTINCT FROM b"}),
        ("SELECT now() - a", {"SELECT now() + a"}),
        ("UPDATE t SET a = coalesce(b, c)", {"UPDATE t SET a = (b)", "UPDATE t SET a = (c)"}),
        (
            "SELECT a FROM t WHERE b ORDER BY a FOR NO KEY UPDATE SKIP LOCKED",
            {
                "SELECT a FROM t WHERE b  FOR NO KEY UPDATE SKIP LOCKED",
                "SELECT a FROM t WHERE b ORDER BY a ",
                "SELECT a FROM t WHERE b ORDER BY a FOR NO KEY UPDATE",
            },
        ),
        ("INSERT INTO t VALUES (1) ON CONFLICT (a) DO NOTHING", {"INSERT INTO t VALUES (1) "}),
        ("SELECT 1 WHERE a BETWEEN b AND c", set()),
        ("UPDATE t SET a = b, c = d FROM e WHERE f", set()),
        (", c = d FROM e WHERE f", set()),
        ("CREATE TABLE IF NOT EXISTS t (a integer NOT NULL)", set()),
        ("just words", set()),
    ],
)
def test_each_small_mistake_of_a_statement_is_tried(sql: str, mutants: set[str]) -> None:
    assert changed_sql(sql) == mutants


def test_a_docstring_is_no_statement() -> None:
    assert sql_changes.mutants(source('"""SELECT a FROM b WHERE c = d."""\n')) == []


def test_a_mutant_of_a_line_with_wide_letters_is_in_its_place() -> None:
    code = source("_A = text(f\"SELECT '→→' FROM t WHERE a = {B} AND c\")\n")
    (mutant,) = [each for each in sql_changes.mutants(code) if each.old == "AND"]
    assert mutant.applied(code.raw).decode() == "_A = text(f\"SELECT '→→' FROM t WHERE a = {B} OR c\")\n"
