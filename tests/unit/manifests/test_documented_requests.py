"""BotRequests in the documentation are what people copy, so they must be right."""

import re
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from dev.docs import site
from tests.unit.manifests.test_samples import closed

BLOCK = re.compile(r"^```yaml\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
REQUESTS = [
    item
    for page in sorted(site.DOCS.rglob("*.md"))
    for block in BLOCK.findall(page.read_text())
    if "kind: BotRequest" in block
    for item in yaml.safe_load_all(block)
]


def test_the_documentation_has_requests() -> None:
    assert REQUESTS


@pytest.mark.parametrize("request_body", REQUESTS, ids=lambda item: str(item["metadata"]["name"]))
def test_a_request_of_the_documentation_fits_the_schema(schema: dict[str, Any], request_body: dict[str, Any]) -> None:
    assert [error.message for error in Draft202012Validator(closed(schema)).iter_errors(request_body)] == []
