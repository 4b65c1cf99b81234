"""Each alert fires for what it is about and for nothing else, as Prometheus itself evaluates it."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.cluster import settings
from dev.machine import promtool
from dev.machine.progress import Progress
from tests.unit.helm.conftest import Render

MINUTES = 60
Series = dict[str, str]

# A whole hour, one sample a minute, of an installation where all is well.
WELL: Series = {
    "usher_last_sweep_timestamp_seconds": "0+60x60",
    'usher_leader{pod="operate-1"}': "1x60",
    'usher_leader{pod="operate-2"}': "0x60",
    "usher_brownout_active": "0x60",
    'usher_ready{component="serve"}': "1x60",
    'usher_callbacks_total{code="200"}': "0+100x60",
    'usher_callbacks_total{code="503"}': "0x60",
    'usher_transitions_total{target="failed", source="reconciler", reason="heartbeat_lost"}': "0x60",
    'usher_transitions_total{target="failed", source="reconciler", reason="never_started"}': "0x60",
    'usher_reservations_total{outcome="admitted"}': "0+10x60",
    'usher_webhooks_total{outcome="delivered"}': "0+10x60",
    'usher_webhooks_total{outcome="retried"}': "0x60",
    "usher_requests_in_flight": "3x60",
    'usher_repairs_total{mode="lost_row"}': "0x60",
    'usher_slo_attempts_total{platform="zoom"}': "0+10x60",
    'usher_slo_attempts_total{platform="teams"}': "0+10x60",
    'usher_slo_lost_total{platform="zoom", fault="bot"}': "0x60",
    'usher_slo_lost_total{platform="zoom", fault="host"}': "0+5x60",
    'usher_slo_lost_total{platform="teams", fault="infrastructure"}': "0x60",
}
LOST = 'usher_transitions_total{target="failed", source="reconciler", reason="heartbeat_lost"}'
NEVER_STARTED = 'usher_transitions_total{target="failed", source="reconciler", reason="never_started"}'

# What goes wrong from the thirtieth minute on, and the alerts it raises by the end of the hour.
FAULTS: dict[str, tuple[Series, set[str]]] = {
    "all is well": ({}, set()),
    "no sweep ends": ({"usher_last_sweep_timestamp_seconds": "0+60x30 1800x30"}, {"UsherReconcilerStalled"}),
    "operate is gone": (
        {
            "usher_last_sweep_timestamp_seconds": "0+60x30 stale",
            'usher_leader{pod="operate-1"}': "1x30 stale",
            'usher_leader{pod="operate-2"}': "0x30 stale",
        },
        {"UsherReconcilerStalled", "UsherNobodyLeads"},
    ),
    "nobody leads": ({'usher_leader{pod="operate-1"}': "1x30 0x29"}, {"UsherNobodyLeads"}),
    "a standby takes over": (
        {'usher_leader{pod="operate-1"}': "1x50 stale", 'usher_leader{pod="operate-2"}': "0x50 1x9"},
        set(),
    ),
    "a rolling update": (
        {'usher_leader{pod="operate-1"}': "1x50 0 stale", 'usher_leader{pod="operate-2"}': "0x50 1x4 0 1x3"},
        set(),
    ),
    "the lead changes hands again and again": (
        {
            'usher_leader{pod="operate-1"}': "1x49 0 1 0 1 0 1 0 1 0",
            'usher_leader{pod="operate-2"}': "0x49 1 0 1 0 1 0 1 0 1",
        },
        {"UsherLeaderFlaps"},
    ),
    "a brownout": ({"usher_brownout_active": "0x30 1x29"}, {"UsherStaleChecksPaused"}),
    "serve is gone": (
        {
            'usher_ready{component="serve"}': "1x30 stale",
            'usher_callbacks_total{code="200"}': "0+100x30 stale",
            'usher_callbacks_total{code="503"}': "0x30 stale",
        },
        {"UsherServeDown"},
    ),
    "serve is not ready": ({'usher_ready{component="serve"}': "1x30 0x29"}, {"UsherServeDown"}),
    "callbacks fail": ({'usher_callbacks_total{code="503"}': "0x30 0+20x29"}, {"UsherCallbackErrors"}),
    "bots fall silent": ({LOST: "0x45 0+2x14"}, {"UsherBotsTimingOut"}),
    "bots never start": ({NEVER_STARTED: "0x30 0+4x29"}, {"UsherBotsNeverStart", "UsherBotsTimingOut"}),
    "a bot in a hundred never starts": ({NEVER_STARTED: "0x50 1x9"}, set()),
    "webhooks fail": (
        {'usher_webhooks_total{outcome="retried"}': "0x25 0+30x34"},
        {"UsherWebhooksFailing"},
    ),
    "rows are lost": ({'usher_repairs_total{mode="lost_row"}': "0x45 3x14"}, {"UsherRowsLost"}),
    "a platform changes its page": (
        {'usher_slo_lost_total{platform="zoom", fault="bot"}': "0x49 0+8x10"},
        {"UsherPlatformFailing"},
    ),
    "a bot in seven is lost on the way": (
        {'usher_slo_lost_total{platform="teams", fault="infrastructure"}': "0+4x59"},
        {"UsherErrorBudgetBurning"},
    ),
    "hosts deny every bot": ({'usher_slo_lost_total{platform="zoom", fault="host"}': "0+10x59"}, set()),
    "the database goes back": (
        {'usher_rewinds_total{evidence="transition_lost"}': "0x45 1x14", "usher_database_held": "0x45 1x6 0x8"},
        {"UsherDatabaseWentBack"},
    ),
    "a standby is promoted and nothing is lost": (
        {'usher_rewinds_total{evidence="failed_over"}': "0x45 1x14", "usher_database_held": "0x45 1x2 0x12"},
        set(),
    ),
    "an adoption does not end": ({"usher_database_held": "0x30 1x29"}, {"UsherHeld"}),
    "a backlog": ({"usher_requests_in_flight": "3x30 900x29"}, {"UsherBacklog"}),
    "a short backlog": ({"usher_requests_in_flight": "3x30 900x5 3x23"}, set()),
}


@pytest.fixture(scope="session")
def checker() -> str:
    return str(promtool.ensure(settings.load().cache, progress=Progress()))


@pytest.fixture(scope="session")
def rules(render: Render, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart's rules, as a file for promtool."""
    spec = render(prometheusRule={"enabled": True})["PrometheusRule", "usher"]["spec"]
    path = tmp_path_factory.mktemp("alerts") / "rules.yaml"
    path.write_text(yaml.safe_dump(spec))
    return path


def names(rules: Path) -> list[str]:
    return [rule["alert"] for group in yaml.safe_load(rules.read_text())["groups"] for rule in group["rules"]]


def located(series: str) -> str:
    """A series with the namespace that Prometheus adds to it."""
    name, _, labels = series.partition("{")
    return f'{name}{{namespace="usher-system", {labels or "}"}'


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_raises_its_alerts_and_no_other(checker: str, rules: Path, tmp_path: Path, fault: str) -> None:
    broken, expected = FAULTS[fault]
    series = [{"series": located(name), "values": values} for name, values in (WELL | broken).items()]
    # A comparison by name: promtool wants the texts of what fires, which are the page's business.
    probes: list[dict[str, Any]] = [
        {
            "expr": f'count(ALERTS{{alertname="{name}", alertstate="firing"}}) or vector(0)',
            "eval_time": f"{MINUTES - 1}m",
            "exp_samples": [{"labels": "{}", "value": int(name in expected)}],
        }
        for name in names(rules)
    ]
    tests = {"rule_files": [str(rules)], "evaluation_interval": "1m"}
    case = {"interval": "1m", "input_series": series, "promql_expr_test": probes}
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump(tests | {"tests": [case]}))
    done = subprocess.run([checker, "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_raised_by_some_fault(rules: Path) -> None:
    assert set(names(rules)) == set().union(*(expected for _, expected in FAULTS.values()))
