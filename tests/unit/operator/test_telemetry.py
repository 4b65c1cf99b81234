"""Metrics and log fields that stay bounded and complete."""

import logging

from prometheus_client import REGISTRY

from usher_models.states import Reason
from usher_operator.telemetry import REQUEST_ID, TRANSITIONS, add_request_id, reason_label


def test_reasons_that_bots_invent_are_one_series() -> None:
    before = REGISTRY.get_sample_value(
        "usher_transitions_total", {"target": "failed", "source": "bot", "reason": "other"}
    )
    for number in range(500):
        TRANSITIONS.labels(target="failed", source="bot", reason=f"invented_{number}").inc()
    after = REGISTRY.get_sample_value(
        "usher_transitions_total", {"target": "failed", "source": "bot", "reason": "other"}
    )
    assert (after or 0) - (before or 0) == 500
    labels = {"target": "failed", "source": "bot", "reason": "invented_1"}
    assert REGISTRY.get_sample_value("usher_transitions_total", labels) is None


def test_ushers_own_reasons_are_told_apart_and_exit_codes_are_one() -> None:
    assert [reason_label(reason) for reason in Reason] == list(Reason)
    assert {reason_label(f"exit_code_{code}") for code in (1, 137, 143)} == {"exit_code"}


def test_a_log_line_outside_of_a_request_has_no_request_id() -> None:
    record = logging.makeLogRecord({})
    assert add_request_id(record)
    assert "request_id" not in record.__dict__
    token = REQUEST_ID.set("r-1")
    add_request_id(record)
    REQUEST_ID.reset(token)
    assert record.__dict__["request_id"] == "r-1"
