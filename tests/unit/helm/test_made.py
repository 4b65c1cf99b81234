"""What of the chart is made from something else is held to it; and helm itself finds nothing to complain of."""

import subprocess

import pytest
import yaml

from dev import chart
from tests.unit.helm.conftest import CHART, KUBE_VERSION, Objects, Render


@pytest.mark.parametrize("name", chart.FILES)
def test_what_is_made_is_up_to_date(name: str) -> None:
    assert (CHART / name).read_text() == chart.FILES[name](), "run `make docs`"


def test_helm_lint_finds_nothing(helm: str) -> None:
    argv = [helm, "lint", "--strict", str(CHART), "--kube-version", KUBE_VERSION]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout


def test_every_template_fills_in_the_defaults_first() -> None:
    for path in (CHART / "templates").rglob("*"):
        if path.is_file() and not path.name.startswith("_"):
            assert path.read_text().startswith('{{- include "usher.defaults" . -}}\n'), path.name


def known(objects: Objects) -> Objects:
    """Without Secrets, which are generated anew each time."""
    return {name: item for name, item in objects.items() if name[0] != "Secret"}


@pytest.mark.parametrize("part", [key for key, value in yaml.safe_load(chart.defaults()).items() if value is not None])
def test_values_of_an_older_chart_render_like_the_defaults(render: Render, part: str) -> None:
    assert known(render(**{part: None})) == known(render())


def test_a_missing_value_inside_a_part_has_its_default(render: Render) -> None:
    assert known(render(serve={"autoscaling": None, "service": {"port": None}})) == known(render())


def test_a_limit_that_was_taken_out_stays_out(render: Render) -> None:
    limits = {"resources": {"limits": {"memory": None}}}
    container = render(serve=limits)["Deployment", "usher-serve"]["spec"]["template"]["spec"]["containers"][0]
    assert not container["resources"].get("limits")


@pytest.mark.parametrize("part", ["operate", "serve"])
def test_kubectl_takes_the_container_that_has_the_command(render: Render, part: str) -> None:
    template = render()["Deployment", f"usher-{part}"]["spec"]["template"]
    name = template["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"]
    assert name == template["spec"]["containers"][0]["name"]
