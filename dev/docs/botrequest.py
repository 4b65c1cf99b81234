"""The reference of BotRequest: made from crds/botrequests.yaml, the only definition that is written by hand."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from dev.chart import DEFINITION
from dev.docs.markdown import code, codes, head, table

Json = dict[str, Any]

TEXT = """
A BotRequest asks for one bot in one meeting. `make docs` makes this page from `crds/botrequests.yaml`; `kubectl explain botrequest.spec` shows the
same texts. [Conditions and refusals](reasons.md#conditions-of-a-botrequest) have a page of their own, and `manifests/samples` an example for
each story.
"""
EXAMPLE = """```yaml
{}
```

"""
LIMITS = {
    "minimum": "≥ {}",
    "maximum": "≤ {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "maxProperties": "at most {} entries",
}


def page() -> str:
    """The whole page."""
    definition = yaml.safe_load(DEFINITION.read_text())["spec"]
    return head("BotRequest", TEXT) + "".join(
        _version(definition, version) for version in definition["versions"] if version["served"]
    ).rstrip() + "\n"


def _version(definition: Json, version: Json) -> str:
    spec, status = (version["schema"]["openAPIV3Schema"]["properties"][part] for part in ("spec", "status"))
    names = definition["names"]
    return (
        f"## {definition['group']}/{version['name']}\n\n"
        f"Kind {code(names['kind'])}, plural {code(names['plural'])}, short {codes(names['shortNames'])}, "
        f"categories {codes(names['categories'])}; {definition['scope'].lower()}.\n\n"
        + EXAMPLE.format((DEFINITION.parents[1] / "manifests" / "samples" / "botrequest.yaml").read_text().partition("apiVersion")[1]
                         + (DEFINITION.parents[1] / "manifests" / "samples" / "botrequest.yaml").read_text().partition("apiVersion")[2].rstrip())
        + f"### spec\n\n{spec['description']}\n\n{_fields(spec, fixed=_immutable(spec))}"
        + f"### Rules\n\n{_rules(spec)}"
        + f"### status\n\n{status['description']}\n\n{_fields(status, fixed=frozenset())}"
        + f"### Columns of `kubectl get`\n\n{_columns(version)}"
        + _selectable(version)
    )
