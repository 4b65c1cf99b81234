"""The parts of helm/usher that are made from something else: `make docs` writes them, a unit test holds them to it.

templates/crd.yaml     from crds/botrequests.yaml, the only copy that is written by hand
values.schema.json     from dev/chart_schema.yaml and, for `settings`, from Usher's own Settings
README.md              from the comments in values.yaml
files/defaults.yaml    from values.yaml: a template cannot read that file itself
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from usher_operator.settings import ENV_PREFIX, Settings

ROOT = Path(__file__).parents[1]
CHART = ROOT / "helm" / "usher"
DEFINITION = ROOT / "crds" / "botrequests.yaml"
SCHEMA = Path(__file__).parent / "chart_schema.yaml"

CRD_HEAD = """{{- include "usher.defaults" . -}}
# Made from crds/botrequests.yaml by `make docs`: change it there.
{{- if .Values.crds.enabled }}
"""
# What the chart itself sets, from values of their own or because it must be so.
SET_BY_THE_CHART = frozenset(
    {
        "admin_api_key",
        "allowed_images",
        "api_enabled",
        "api_port",
        "bind_host",
        "bot_class",
        "bot_image",
        "bot_image_pull_policy",
        "bot_priority_class",
        "bot_redis_secret",
        "bot_redis_transcripts",
        "bot_redis_url",
        "bot_service_account",
        "browser_image",
        "browser_options",
        "browser_resources",
        "browser_seccomp_profile",
        "callback_port",
        "callback_url",
        "database_pool_size",
        "database_session_url",
        "database_url",
        "default_command",
        "default_driver",
        "gateway_secret",
        "legacy_statuses",
        "meeting_token_issuer",
        "meeting_token_secret",
        "metrics_port",
        "namespaces",
        "operate_port",
        "stale_checks_enabled",
        "redis_url",
        "webhooks_enabled",
    }
)
README_HEAD = """# The Helm chart of Usher

[docs/howto/install.md](../../docs/howto/install.md) says how to install, upgrade and remove it. `make docs` makes this
page from the comments in [values.yaml](values.yaml). What is not listed here is refused.

| value | default | meaning |
|---|---|---|
"""


def definition() -> str:
    """templates/crd.yaml."""
    text = DEFINITION.read_text()
    body = text[text.index("apiVersion:") :].replace("{{", '{{ "{{" }}')
    labels = "  labels:\n    app.kubernetes.io/name: usher\n    app.kubernetes.io/part-of: usher\n"
    assert body.count(labels) == 1
    templated = (
        '  labels:\n    {{- include "usher.labels" (dict "root" . "component" "definition") | nindent 4 }}\n'
        "  {{- if .Values.crds.keep }}\n  annotations:\n    helm.sh/resource-policy: keep\n  {{- end }}\n"
    )
    return f"{CRD_HEAD}{body.replace(labels, templated).rstrip()}\n{{{{- end }}}}\n"


def schema() -> str:
    """values.schema.json."""
    written = yaml.safe_load(SCHEMA.read_text())
    written["properties"]["settings"] |= {"properties": dict(_settings()), "additionalProperties": False}
    return json.dumps(written, indent=1) + "\n"


def _settings() -> Iterator[tuple[str, dict[str, Any]]]:
    described = Settings.model_json_schema()["properties"]
    for name in sorted(set(Settings.model_fields) - SET_BY_THE_CHART):
        field = {key: value for key, value in described[name].items() if key not in ("title", "default")}
        if field["type"] == "array":  # a variable of the environment, so a list is one string
            field = {"type": "string", "description": field["description"]}
        yield f"{ENV_PREFIX}{name.upper()}", field


def defaults() -> str:
    """files/defaults.yaml."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    return "# Made from values.yaml by `make docs`.\n" + yaml.safe_dump(values, sort_keys=False, width=120)


def readme() -> str:
    """README.md."""
    text = (CHART / "values.yaml").read_text()
    rows = "".join(
        f"| `{path}` | {_shown(default)} | {_escaped(meaning)} |\n" for path, default, meaning in documented(text)
    )
    return README_HEAD + rows


def documented(text: str) -> list[tuple[str, Any, str]]:
    """Each documented value of a values.yaml: its path, its default, and what its comment says."""
    lines, root = text.splitlines(), yaml.compose(text)
    assert isinstance(root, yaml.MappingNode)
    return list(_walk(root, lines, ()))


def _walk(node: yaml.MappingNode, lines: list[str], path: tuple[str, ...]) -> Iterator[tuple[str, Any, str]]:
    for key, value in node.value:
        here = (*path, key.value)
        meaning = _comment_above(lines, key.start_mark.line)
        if meaning:
            yield ".".join(here), yaml.safe_load(yaml.serialize(value)), meaning
        elif isinstance(value, yaml.MappingNode) and value.value:
            yield from _walk(value, lines, here)
        else:
            raise ValueError(f"values.yaml: {'.'.join(here)} has no comment that begins with '# --'")


def _comment_above(lines: list[str], line: int) -> str | None:
    said: list[str] = []
    for text in reversed(lines[:line]):
        found = re.fullmatch(r"\s*#( --)? (.*)", text)
        if found is None:
            return None
        said.insert(0, found[2])
        if found[1]:
            return " ".join(said)
    return None


def _shown(default: Any) -> str:
    return f"`{json.dumps(default)}`".replace("|", "\\|")


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


FILES = {
    "templates/crd.yaml": definition,
    "values.schema.json": schema,
    "README.md": readme,
    "files/defaults.yaml": defaults,
}


if __name__ == "__main__":
    for name, made in FILES.items():
        (CHART / name).parent.mkdir(exist_ok=True)
        (CHART / name).write_text(made())
        sys.stdout.write(f"Wrote helm/usher/{name}.\n")
