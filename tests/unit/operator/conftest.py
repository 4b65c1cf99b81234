"""What the operator's unit tests share: the definition of BotRequest, and a clock."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fakes.clock import FakeClock

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def schema() -> dict[str, Any]:
    """The schema of a BotRequest."""
    definition = yaml.safe_load((REPOSITORY / "crds" / "botrequests.yaml").read_text())
    found: dict[str, Any] = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found
