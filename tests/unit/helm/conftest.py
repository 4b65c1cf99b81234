"""helm/usher rendered, without a cluster. `make unit` builds helm first where it is missing."""

import functools
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.cluster import binaries, settings

REPOSITORY = Path(__file__).resolve().parents[3]
CHART = REPOSITORY / "helm" / "usher"
KUBE_VERSION = "1.35.0"

Objects = dict[tuple[str, str], dict[str, Any]]
Template = Callable[[str], "subprocess.CompletedProcess[str]"]
Render = Callable[..., Objects]
Refusal = Callable[..., str]


@pytest.fixture(scope="session")
def helm() -> str:
    """The program that the cluster's tools are built with."""
    return str(binaries.program(settings.load(), "helm"))


@pytest.fixture(scope="session")
def template(helm: str) -> Template:
    """`helm template` with values, in JSON."""

    @functools.cache
    def run(values: str) -> "subprocess.CompletedProcess[str]":
        argv = [helm, "template", "usher", str(CHART), "--namespace", "usher-system", "--kube-version", KUBE_VERSION]
        return subprocess.run([*argv, "--values", "-"], input=values, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="session")
def render(template: Template) -> Render:
    """The chart's objects by kind and name: `render(serve={"replicas": 3})`."""

    def rendered(**values: Any) -> Objects:
        done = template(json.dumps(values))
        assert done.returncode == 0, done.stderr
        return {(item["kind"], item["metadata"]["name"]): item for item in yaml.safe_load_all(done.stdout) if item}

    return rendered


@pytest.fixture(scope="session")
def refusal(template: Template) -> Refusal:
    """What helm says against values."""

    def refused(**values: Any) -> str:
        done = template(json.dumps(values))
        assert done.returncode != 0, f"helm rendered {values}."
        return done.stderr

    return refused
