"""The reference of BotRequest: made from crds/botrequests.yaml, the only definition that is written by hand."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from dev.chart import DEFINITION, ROOT
from dev.docs.markdown import code, codes, head, table

Json = dict[str, Any]

SAMPLE = ROOT / "manifests" / "samples" / "botrequest.yaml"
TEXT = """
A BotRequest asks for one bot in one meeting. `kubectl explain botrequest.spec` shows the same texts. [Reasons and
exit codes](reasons.md#conditions-of-a-botrequest) explains conditions and refusals, and `manifests/samples` has an
example for each story. `make docs` makes this page from `crds/botrequests.yaml`.
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
IMMUTABLE = re.compile(r"(\w+) is immutable")


def page() -> str:
    """The whole page."""
    definition = yaml.safe_load(DEFINITION.read_text())["spec"]
    versions = [version for version in definition["versions"] if version["served"]]
    return head("BotRequest", TEXT) + "\n".join(_version(definition, version) for version in versions).rstrip() + "\n"


def _version(definition: Json, version: Json) -> str:
    spec, status = (version["schema"]["openAPIV3Schema"]["properties"][part] for part in ("spec", "status"))
    names = definition["names"]
    return (
        f"## {definition['group']}/{version['name']}\n\n"
        f"Kind {code(names['kind'])}, plural {code(names['plural'])}, short {codes(names['shortNames'])}.\n\n"
        f"```yaml\n{_sample()}```\n\n"
        f"### spec\n\n{spec['description']}\n\n{_fields(spec)}"
        f"### Rules\n\nThe API server refuses what breaks one of these, beside the limits above.\n\n{_rules(spec)}\n"
        f"### status\n\n{status['description']}\n\n{_fields(status)}"
        f"### Columns\n\n{_columns(version)}"
        f"### Field selectors\n\n{_selectors(version)}\n"
    )


def _sample() -> str:
    lines = SAMPLE.read_text().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("#"))


def _fields(schema: Json) -> str:
    rows = (
        [code(path), _type(field), _bounds(field), code(field.get("default", "")), f"{required}{field['description']}"]
        for path, field, required in _walk(schema)
    )
    return table(("field", "type", "limits", "default", "meaning"), rows)


def _walk(schema: Json, prefix: str = "") -> Iterator[tuple[str, Json, str]]:
    """Every field with its path, and whether it is required; the fields inside it follow it."""
    for name, field in schema.get("properties", {}).items():
        yield f"{prefix}{name}", field, "**Required.** " if name in schema.get("required", ()) else ""
        yield from _walk(field, f"{prefix}{name}.")
        yield from _walk(field.get("items", {}), f"{prefix}{name}[].")


def _type(field: Json) -> str:
    if "enum" in field:
        return codes(field["enum"])
    if field.get("x-kubernetes-int-or-string"):
        return "quantity"
    if field["type"] == "array":
        return f"list of {_type(field['items'])}"
    if isinstance(field.get("additionalProperties"), dict):
        return f"map to {_type(field['additionalProperties'])}"
    return str(field.get("format") if field.get("format") == "date-time" else field["type"])


def _bounds(field: Json) -> str:
    found = [text.format(field[key]) for key, text in LIMITS.items() if key in field]
    return "; ".join(found)


def _rules(spec: Json) -> str:
    fields = [spec, *(field for _, field, _ in _walk(spec))]
    messages = [rule["message"] for field in fields for rule in field.get("x-kubernetes-validations", ())]
    fixed = [found[1] for message in messages if (found := IMMUTABLE.match(message))]
    others = [message for message in messages if not IMMUTABLE.match(message)]
    lines = [*others, f"fixed after creation: {codes(fixed)}"]
    return "".join(f"- {line[0].upper()}{line[1:]}.\n" for line in lines)


def _columns(version: Json) -> str:
    rows = (
        [
            column["name"],
            "with `-o wide`" if column.get("priority") else "always",
            column.get("description", "How long ago the BotRequest was created."),
        ]
        for column in version["additionalPrinterColumns"]
    )
    return table(("column", "shown", "meaning"), rows)


def _selectors(version: Json) -> str:
    paths = [field["jsonPath"].removeprefix(".") for field in version.get("selectableFields", ())]
    return f"From Kubernetes 1.31 on: {codes(paths)}, as in `kubectl get br --field-selector status.phase=active`."
