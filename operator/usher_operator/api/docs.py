"""The documentation page: one self-contained HTML document, so that it works without the internet."""

from html import escape
from typing import Any

Json = dict[str, Any]

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2128}
h1 small{color:#59636e;font-size:1rem}h2{border-bottom:1px solid #d1d9e0;margin-top:2.5rem}
details{border:1px solid #d1d9e0;border-radius:6px;margin:.5rem 0;padding:.5rem .8rem}
summary{cursor:pointer}code,pre{font:.875rem/1.4 ui-monospace,monospace}
pre{background:#f6f8fa;padding:.8rem;border-radius:6px;overflow:auto}
b.m{display:inline-block;width:4.5rem}table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:left;
vertical-align:top}
@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}pre{background:#161b22}}
"""


def page(document: Json) -> str:
    """The page of a document."""
    info = document["info"]
    parts = [_section(tag["name"], document) for tag in document["tags"]]
    models = "".join(_model(name, schema) for name, schema in document["components"]["schemas"].items())
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>Usher API</title>'
        f"<style>{_STYLE}</style><h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1>"
        f'<p>{escape(info["description"])}</p><p>For programs: <a href="openapi.json">openapi.json</a></p>'
        f"{''.join(parts)}<h2>Models</h2>{models}</html>"
    )


def _section(tag: str, document: Json) -> str:
    operations = [
        _operation(path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if tag in operation["tags"]
    ]
    return f"<h2>{escape(tag)}</h2>{''.join(operations)}"


def _operation(path: str, method: str, operation: Json) -> str:
    title = f'<b class="m">{method.upper()}</b><code>{escape(path)}</code> {escape(operation["summary"])}'
    rows = "".join(_parameter(parameter) for parameter in operation["parameters"])
    body = operation.get("requestBody")
    takes = f"<p>Takes {_schema(body['content'])}</p>" if body else ""
    answers = "".join(_answer(status, answer) for status, answer in operation["responses"].items())
    return f"<details><summary>{title}</summary><table>{rows}</table>{takes}<table>{answers}</table></details>"


def _parameter(parameter: Json) -> str:
    schema = parameter["schema"]
    kind = " | ".join(map(str, schema["enum"])) if "enum" in schema else str(schema.get("type", ""))
    return f"<tr><td><code>{escape(parameter['name'])}</code><td>{parameter['in']}<td>{escape(kind)}"


def _answer(status: str, answer: Json) -> str:
    content = answer.get("content")
    return f"<tr><th>{status}<td>{escape(answer['description'])}<td>{_schema(content) if content else ''}"


def _schema(content: Json) -> str:
    schema = content["application/json"]["schema"]
    many = "a list of " if schema.get("type") == "array" else ""
    name = str(schema.get("$ref") or schema.get("items", {}).get("$ref", "")).rpartition("/")[2]
    return f'{many}<a href="#{escape(name)}">{escape(name)}</a>'


def _model(name: str, schema: Json) -> str:
    fields = "".join(_field(key, field) for key, field in schema.get("properties", {}).items())
    said = escape(schema.get("description", ""))
    return (
        f'<details id="{escape(name)}"><summary>{escape(name)}</summary><p>{said}</p><table>{fields}</table></details>'
    )


def _field(name: str, field: Json) -> str:
    kinds = " | ".join(str(kind.get("type") or kind.get("$ref", "")) for kind in field.get("anyOf", [field]))
    return f"<tr><td><code>{escape(name)}</code><td>{escape(kinds)}<td>{escape(field.get('description', ''))}"
