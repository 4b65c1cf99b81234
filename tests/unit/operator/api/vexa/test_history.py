"""The audit trail inside an old row, whatever it looks like."""

import pytest

from usher_operator.api.vexa.history import history


@pytest.mark.parametrize("trail", [None, "text", 1, {}, [], ["text", None, 1]])
def test_what_is_no_trail_is_an_empty_one(trail: object) -> None:
    assert history({"status_transition": trail}) == []


def test_a_line_with_nothing_in_it_is_still_a_line() -> None:
    (line,) = history({"status_transition": [{}]})
    assert (line.to_status, line.source, line.at) == ("unknown", "unknown", None)
