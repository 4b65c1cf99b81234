"""Tests of errors that users see say which: a refusal for another reason must not pass for the one that is meant."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from usher_bot.drivers.base import NotJoined
from usher_bot.errors import BotError
from usher_models.errors import NotLeading, UsherError
from usher_operator.kube import botrequest
from usher_operator.settings import SettingsInvalid
from usher_operator.webhooks.guard import TargetRefused

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted([*(ROOT / "unit").rglob("test_*.py"), *(ROOT / "integration").rglob("test_*.py")])
# Seen by the program only.
INTERNAL = {NotLeading.__name__}


def names_of(*errors: type[Exception]) -> set[str]:
    """The names of errors and of all that are made of them."""
    return {name for error in errors for name in ({error.__name__} | names_of(*error.__subclasses__()))}


SEEN = names_of(UsherError, BotError, NotJoined, SettingsInvalid, TargetRefused, botrequest.InvalidRequest) - INTERNAL


def unmatched(code: str) -> Iterator[int]:
    """The lines that expect an error which users see, and neither match its text nor look at it."""
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.With):
            continue
        for item in node.items:
            if item.optional_vars is None and _expects_any(item.context_expr):
                yield node.lineno


def _expects_any(call: ast.expr) -> bool:
    return (
        isinstance(call, ast.Call)
        and ast.unparse(call.func) == "pytest.raises"
        and not call.keywords
        and any(ast.unparse(name).rpartition(".")[2] in SEEN for name in call.args)
    )


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("with pytest.raises(CapReached):\n    pass", [1]),
        ("with pytest.raises(errors.CapReached):\n    pass", [1]),
        ("with pytest.raises(CapReached, match='2'):\n    pass", []),
        ("with pytest.raises(CapReached) as refusal:\n    pass", []),
        ("with pytest.raises(KeyError):\n    pass", []),
    ],
)
def test_an_expected_error_without_a_text_is_found(code: str, lines: list[int]) -> None:
    assert list(unmatched(code)) == lines


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_each_test_of_an_error_that_users_see_says_which(file: Path) -> None:
    assert list(unmatched(file.read_text())) == []
