"""The REST API: made from the OpenAPI document, which the server itself makes from its table of routes."""

from collections.abc import Iterator
from typing import Any, cast

from pydantic import SecretStr

from dev.docs.markdown import cell, code, codes, head, table
from usher_models import errors
from usher_models.errors import (
    CallbackRejected,
    ConnectionTaken,
    Forbidden,
    NotFound,
    NotLeading,
    Unauthorized,
    UsherError,
)
from usher_operator.api.app import Api
from usher_operator.api.framework.openapi import MEANINGS, document
from usher_operator.http.errors import status_of

Json = dict[str, Any]

TEXT = """
Every route of the REST and admin API, on port 8080 of `serve`. Users send their key as `X-API-Key`, administrators
theirs as `X-Admin-API-Key`. [Use the REST API](../howto/use-the-rest-api.md) shows a whole session, and [Compared
with Vexa](vexa-compatibility.md) what differs. `serve` answers this document as `/openapi.json`. `make docs` makes
this page from the same table of routes.
"""
ERRORS = """## Error codes

The body of an error has `code`, the stable word for programs, and `detail`, a sentence for people; for a 422 `detail`
is a list that names each field. A 429 and a 503 have `Retry-After`.

"""
EVERYWHERE = """## What every route may answer

These statuses are left out below. Their body is a [Problem](#problem).

"""
MODELS = "## Models\n\n"
# Errors that bots and users share: their own sentence speaks of a bot's token.
SHARED = (Unauthorized, Forbidden, NotFound)
# Errors that no route of the REST API answers.
ELSEWHERE = (CallbackRejected, ConnectionTaken, NotLeading)


def described() -> Json:
    """The OpenAPI document. Making it asks nothing of what the routes work with."""
    nothing = cast(Any, None)
    secret = SecretStr("")
    api = Api(
        database=nothing,
        commander=nothing,
        requests=nothing,
        namespace="",
        admin_key=secret,
        gateway_secret=secret,
    )
    return document(api.routes())


def page() -> str:
    """The whole page."""
    made = described()
    common = _common(made["paths"])
    tags = "".join(_tag(tag["name"], made["paths"], set(common)) for tag in made["tags"])
    models = "".join(_model(name, schema) for name, schema in made["components"]["schemas"].items())
    everywhere = EVERYWHERE + table(("status", "meaning"), common.items())
    return (head("REST API", TEXT) + everywhere + tags + ERRORS + _errors() + MODELS + models).rstrip() + "\n"


def _common(paths: Json) -> dict[str, str]:
    """The answers that every route has, and what each means."""
    answers = [operation["responses"] for methods in paths.values() for operation in methods.values()]
    return {
        status: answer["description"]
        for status, answer in answers[0].items()
        if all(other.get(status) == answer for other in answers)
    }


def _tag(tag: str, paths: Json, common: set[str]) -> str:
    operations = (
        _operation(path, method, operation, common)
        for path, methods in paths.items()
        for method, operation in methods.items()
        if tag in operation["tags"]
    )
    return f"## {tag}\n\n{''.join(operations)}"


def _operation(path: str, method: str, operation: Json, common: set[str]) -> str:
    who = "administrators" if any("admin" in way for way in operation["security"]) else "users"
    body = operation.get("requestBody")
    takes = f" Takes {_shape(body)}{'' if body['required'] else ' (optional)'}." if body else ""
    parameters = table(("parameter", "in", "type"), map(_parameter, operation["parameters"]))
    own = [_answer(status, answer) for status, answer in operation["responses"].items() if status not in common]
    answers = table(("status", "body", "meaning"), own)
    return (
        f"### {method.upper()} {path}\n\n{operation['summary']}. For {who}.{takes}\n\n"
        f"{parameters if operation['parameters'] else ''}{answers}"
    )


def _parameter(parameter: Json) -> list[str]:
    return [code(parameter["name"]), parameter["in"], _type(parameter["schema"])]


def _answer(status: str, answer: Json) -> list[str]:
    return [status, _shape(answer) if "content" in answer else "", answer["description"]]


def _shape(holder: Json) -> str:
    return _type(holder["content"]["application/json"]["schema"])


def _type(schema: Json) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(kind) for kind in schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return codes(schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "any")


def _model(name: str, schema: Json) -> str:
    required = schema.get("required", ())
    rows = (
        [code(key), _type(field), "yes" if key in required else "", field.get("description", "")]
        for key, field in schema.get("properties", {}).items()
    )
    said = f"{cell(schema['description'])}\n\n" if "description" in schema else ""
    fields = table(("field", "type", "required", "meaning"), rows) if "properties" in schema else f"{_type(schema)}\n\n"
    return f"### {name}\n\n{said}{fields}"


def _errors() -> str:
    rows = sorted(_rows(UsherError), key=lambda row: row[0])
    return table(("status", "code", "meaning"), rows)


def _rows(kind: type[UsherError]) -> Iterator[list[str]]:
    for error in kind.__subclasses__():
        if error.__module__ != errors.__name__ or error in ELSEWHERE:
            continue
        if not error.__subclasses__():
            status = status_of(error.__new__(error))
            yield [
                str(status),
                code(error.code),
                MEANINGS[status] if error in SHARED else (error.__doc__ or "").strip(),
            ]
        yield from _rows(error)
