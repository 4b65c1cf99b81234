"""The files under test, read once."""

import functools
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def definition() -> dict[str, Any]:
    """The CustomResourceDefinition as written."""
    loaded: dict[str, Any] = yaml.safe_load((REPOSITORY / "crds" / "botrequests.yaml").read_text())
    return loaded


@pytest.fixture(scope="session")
def version(definition: dict[str, Any]) -> dict[str, Any]:
    """The only version of the definition."""
    (only,) = definition["spec"]["versions"]
    found: dict[str, Any] = only
    return found


@pytest.fixture(scope="session")
def schema(version: dict[str, Any]) -> dict[str, Any]:
    """The schema of a BotRequest."""
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return found


@pytest.fixture(scope="session")
def spec(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a BotRequest's spec."""
    found: dict[str, Any] = schema["properties"]["spec"]
    return found


@pytest.fixture(scope="session")
def status(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a BotRequest's status."""
    found: dict[str, Any] = schema["properties"]["status"]
    return found


@pytest.fixture(scope="session")
def kubectl() -> str:
    """A kubectl: the machine's, or the one that the local cluster built."""
    cache = Path(os.environ.get("USHER_CACHE") or Path.home() / ".cache" / "usher")
    built = sorted(cache.glob("cluster/builds/kubernetes-*/kubectl"))
    found = shutil.which("kubectl") or (str(built[-1]) if built else None)
    if found is None:
        pytest.skip("NOT CHECKED: no kubectl, neither on PATH nor built by `python3 -m dev.cluster up`")
    return found


@pytest.fixture(scope="session")
def build(kubectl: str) -> Any:
    """Build a folder with kustomize: its objects, by kind and name."""

    @functools.cache
    def built(folder: str) -> dict[tuple[str, str], dict[str, Any]]:
        done = subprocess.run(
            [kubectl, "kustomize", str(REPOSITORY / folder)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return {(item["kind"], item["metadata"]["name"]): item for item in yaml.safe_load_all(done.stdout)}

    return built
