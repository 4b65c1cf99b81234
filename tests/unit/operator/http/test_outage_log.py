"""Why a dependency is away is logged, and not once for each request that met it."""

import json
import logging

import pytest

from tests.fakes.clock import FakeClock
from usher_models.errors import DatabaseUnavailable, IllegalMove, KubernetesUnavailable
from usher_operator.http import errors
from usher_operator.http.outage_log import REPEAT_AFTER_S, OutageLog

WHY = "No answer from the database usher at db:5432: connection refused."


def test_a_sentence_is_logged_once_for_a_while(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    log = OutageLog(clock=clock)
    for _ in range(50):
        log.note(DatabaseUnavailable(WHY))
    log.note(KubernetesUnavailable())
    assert [record.getMessage() for record in caplog.records] == [WHY, str(KubernetesUnavailable())]
    clock.advance(REPEAT_AFTER_S)
    log.note(DatabaseUnavailable(WHY))
    assert len(caplog.records) == 3
    assert caplog.records[0].levelno == logging.WARNING


def test_many_different_sentences_do_not_fill_the_memory(clock: FakeClock) -> None:
    log = OutageLog(clock=clock)
    for number in range(1000):
        log.note(DatabaseUnavailable(f"Reason {number}."))
    assert len(log._logged) <= 100


def test_a_client_is_not_told_where_the_database_is(caplog: pytest.LogCaptureFixture) -> None:
    response = errors._to_response(DatabaseUnavailable(WHY))
    assert response.text is not None
    assert json.loads(response.text)["detail"] == "The database cannot be reached. Try again later."
    assert response.headers["Retry-After"]
    assert WHY in caplog.text


def test_a_client_is_told_what_it_did_wrong() -> None:
    response = errors._to_response(IllegalMove("The meeting is active; it cannot become starting."))
    assert response.text is not None
    assert "it cannot become starting" in response.text
