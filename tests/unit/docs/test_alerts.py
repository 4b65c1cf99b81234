"""Each alert of the chart says what it means and what to do, and counts what is counted."""

import re
from typing import Any

import pytest

from dev.docs import metrics

ALERTS = metrics.alerts()


def test_the_chart_has_alerts() -> None:
    assert len(ALERTS) >= 4


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_what_it_means_and_what_to_do(rule: dict[str, Any]) -> None:
    assert set(rule["annotations"]) >= set(metrics.ANNOTATIONS), "write `summary`, `description` and `runbook`"
    for name in metrics.ANNOTATIONS:
        assert rule["annotations"][name].strip().endswith("."), name
    assert rule["labels"]["severity"] in ("critical", "warning")


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: str(rule["alert"]))
def test_an_alert_asks_only_for_metrics_that_usher_has(rule: dict[str, Any]) -> None:
    known = {name for metric in metrics.metrics() for name in metrics.names(metric)}
    assert set(re.findall(r"\busher_\w+", rule["expr"])) <= known


def test_what_helm_inserts_is_a_word_on_the_page() -> None:
    assert "{{" not in metrics.page()
    assert 'namespace="NAMESPACE"' in metrics.page()
