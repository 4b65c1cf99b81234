"""What the documentation says of the chart is what the chart does."""

import re
from typing import Any

import pytest
import yaml

from dev.docs import metrics, site
from tests.unit.helm.conftest import Render

INSTALL = (site.DOCS / "howto" / "install.md").read_text()
VALUES = [
    yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", INSTALL, flags=re.MULTILINE | re.DOTALL)
]


def test_the_guide_to_installing_has_values() -> None:
    assert VALUES


@pytest.mark.parametrize("values", VALUES)
def test_the_chart_takes_the_values_of_the_guide(render: Render, values: dict[str, Any]) -> None:
    assert render(**values)


def test_the_page_of_alerts_has_what_the_chart_installs(render: Render) -> None:
    rule = render(prometheusRule={"enabled": True})["PrometheusRule", "usher"]
    installed = [alert for group in rule["spec"]["groups"] for alert in group["rules"]]
    assert [alert["alert"] for alert in installed] == [alert["alert"] for alert in metrics.alerts()]
    for one, shown in zip(installed, metrics.alerts(), strict=True):
        assert one["annotations"]["runbook"] == shown["annotations"]["runbook"]
        assert one["expr"] == shown["expr"].replace("NAMESPACE", "usher-system")
