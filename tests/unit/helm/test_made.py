"""What of the chart is made from something else is held to it; and helm itself finds nothing to complain of."""

import subprocess

import pytest

from dev import chart
from tests.unit.helm.conftest import CHART, KUBE_VERSION


@pytest.mark.parametrize("name", chart.FILES)
def test_what_is_made_is_up_to_date(name: str) -> None:
    assert (CHART / name).read_text() == chart.FILES[name](), "run `make docs`"


def test_helm_lint_finds_nothing(helm: str) -> None:
    argv = [helm, "lint", "--strict", str(CHART), "--kube-version", KUBE_VERSION]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout
