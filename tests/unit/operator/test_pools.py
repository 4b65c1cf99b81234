"""A process opens as many connections as its setting says, and each part of its work has some."""

from dataclasses import asdict

import pytest

from usher_operator.processes.database import OperatePools, ServePools


@pytest.mark.parametrize("size", [4, 5, 10, 11, 50, 200])
@pytest.mark.parametrize("kind", [ServePools, OperatePools])
def test_the_parts_are_the_whole_and_none_is_empty(kind: type[ServePools | OperatePools], size: int) -> None:
    parts = asdict(kind.of(size)).values()
    assert sum(parts) == size
    assert min(parts) >= 1


def test_the_usual_ten_are_divided_so() -> None:
    assert asdict(ServePools.of(10)) == {"requests": 5, "callbacks": 3, "heartbeats": 2}
    assert asdict(OperatePools.of(10)) == {"watch": 7, "reconciler": 3}


def test_the_reconciler_has_one_besides_the_leaders_session() -> None:
    assert OperatePools.of(4).reconciler >= 2
