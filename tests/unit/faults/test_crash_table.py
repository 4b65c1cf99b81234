"""docs/evidence/crash-points.md names the code as it is, and every cell of it converged."""

import importlib
import re
from functools import reduce

import pytest

from tests.faults import page
from tests.faults.crash.fault_injector import Mode

ROWS = [
    line.strip("| ").split(" | ") for line in page.read("evidence/crash-points.md", "crash points").splitlines()[2:]
]
PLACES = [match[1] for row in ROWS if (match := re.search(r"(?:of|by) ([a-z_.]+\.[\w.]+)$", row[0]))]


def test_the_table_has_every_kind_of_write() -> None:
    kinds = {row[0].split()[0] for row in ROWS}
    assert {"Event", "commit", "creation", "deletion", "patch", "publish", "removal", "reply"} <= kinds


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row[0]))
def test_every_cell_converged(row: list[str]) -> None:
    assert len(row) == 1 + len(Mode)
    for case in row[1:]:
        converged, _, played = case.partition("/")
        assert converged == played != "0"


@pytest.mark.parametrize("place", PLACES)
def test_the_function_that_writes_is_there(place: str) -> None:
    names = place.split(".")
    split = next(index for index, name in enumerate(names) if name[0].isupper() or index == len(names) - 1)
    module = importlib.import_module(".".join(["usher_operator", *names[:split]]))
    assert callable(reduce(getattr, names[split:], module))
