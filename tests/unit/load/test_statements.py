"""What runs Usher's own statements beside Usher gives them everything they ask for, also what was added later."""

import pytest
from sqlalchemy import TextClause

from tests.faults import reservation_races
from tests.load.bench import baseline_server
from usher_models.db import reservations


@pytest.mark.parametrize("statement", [reservations.LOCK_USER, reservations._RESERVE], ids=["lock", "reserve"])
def test_every_parameter_of_a_reservation_is_given(statement: TextClause) -> None:
    asked = set(statement.compile().params)
    assert asked <= set(baseline_server.values_of(1))
    assert asked <= set(reservation_races._VARIABLES)
