"""Metrics and alerts: made from the code that counts, the modules that repair, and the chart's PrometheusRule."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import yaml
from prometheus_client.metrics import MetricWrapperBase

from dev.chart import CHART
from dev.docs.markdown import code, codes, head, table
from usher_operator import telemetry
from usher_operator.reconcile import repairs

Json = dict[str, Any]

RULES = CHART / "templates" / "monitoring" / "prometheusrule.yaml"
TEXT = """
`serve` (port 8083) and `operate` (port 8082) answer `/metrics`. [Monitor](../howto/monitor.md) says how to scrape
them and which queries to begin with. `make docs` makes this page from `operator/usher_operator/telemetry.py`, the
modules in `operator/usher_operator/reconcile/repairs/`, and the chart's
`helm/usher/templates/monitoring/prometheusrule.yaml`.
"""
ALERTS = """## Alerts

The chart raises them with `prometheusRule.enabled=true`. `NAMESPACE` is the release's namespace.

"""
METRICS = """## Metrics

Counters restart at 0 with their process.

"""
MODES = """## Failure modes

The label `mode` of `usher_repairs_total` says what the reconciler repaired. The stale rules count under their
[reasons](reasons.md): `never_started`, `never_joined`, `heartbeat_lost`, `never_exited`.

"""
# What each alert must say, and the heading under which the page shows it.
ANNOTATIONS = {"summary": "", "description": "**What it means.** ", "runbook": "**What to do.** "}


def page() -> str:
    """The whole page."""
    parts = [ALERTS, *map(_alert, alerts()), METRICS, _metrics(), MODES, _modes()]
    return head("Metrics and alerts", TEXT) + "".join(parts).rstrip() + "\n"


def alerts() -> list[Json]:
    """The alerts of the chart, as they are without helm: what a template inserts is a word in capitals."""
    groups = yaml.safe_load(_rendered(RULES.read_text()))["spec"]["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def _rendered(template: str) -> str:
    """A template as YAML: lines that only steer it are gone, quoted text is itself, and all else is a word."""
    lines = (line for line in template.splitlines() if not re.fullmatch(r"\s*\{\{-? .*\}\}", line))
    text = re.sub(r"\{\{-? \$namespace -?\}\}", "NAMESPACE", "\n".join(lines))
    quoted = re.sub(r'\{\{-? "\{\{ ?\$value[^"]*" -?\}\}', "N", text)
    return re.sub(r"\{\{.*?\}\}", "VALUE", quoted)


def _alert(rule: Json) -> str:
    said = "".join(f"{lead}{rule['annotations'][name].strip()}\n\n" for name, lead in ANNOTATIONS.items())
    lasting = f", when it lasts for {rule['for']}" if "for" in rule else ""
    expression = " ".join(rule["expr"].split())
    return (
        f"### {rule['alert']}\n\n{said}Severity {code(rule['labels']['severity'])}{lasting}:\n\n"
        f"```\n{expression}\n```\n\n"
    )


def _metrics() -> str:
    return table(("metric", "kind", "labels", "meaning"), ([*_metric(metric)] for metric in metrics()))


def metrics() -> list[MetricWrapperBase]:
    """Every metric, in the order of the module."""
    return [value for value in vars(telemetry).values() if isinstance(value, MetricWrapperBase)]


def names(metric: MetricWrapperBase) -> list[str]:
    """The names under which Prometheus knows a metric; the page shows the first."""
    (family,) = metric.describe()
    if family.type == "counter":
        return [f"{family.name}_total"]
    return [
        family.name,
        *(f"{family.name}_{part}" for part in ("bucket", "count", "sum") if family.type == "histogram"),
    ]


def _metric(metric: MetricWrapperBase) -> Iterator[str]:
    (family,) = metric.describe()
    yield code(names(metric)[0])
    yield family.type
    # The library has no public word for the names of labels.
    yield codes(metric._labelnames)
    yield family.documentation


def _modes() -> str:
    return table(("mode", "what it repairs"), ([code(name), said] for name, said in modes().items()))


def modes() -> dict[str, str]:
    """Each failure mode's module, and the first paragraph of what it says of itself."""
    names = [module.name for module in pkgutil.iter_modules(repairs.__path__)]
    modules = {name: importlib.import_module(f"{repairs.__name__}.{name}") for name in names}
    return {name: (module.__doc__ or "").partition("\n\n")[0] for name, module in modules.items()}
