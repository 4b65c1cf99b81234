"""The OpenAPI 3.1 document, made from the route table and the models that the server itself uses."""

from importlib.metadata import version
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from usher_operator.api.auth import ADMIN_HEADER, USER_HEADER
from usher_operator.api.framework.route import Caller, Route
from usher_operator.api.schemas.output import Duplicate, InvalidRequest, LimitReached, Problem

Json = dict[str, Any]

REFERENCE = "#/components/schemas/{model}"

# Error statuses that every route may answer.
EVERYWHERE = (401, 403, 413, 422, 503)

MEANINGS = {
    400: "The request is not valid HTTP.",
    401: "The key is missing, unknown, revoked or expired.",
    403: "The key does not permit this, or the admin API is disabled.",
    404: "Not found, or it belongs to another user.",
    408: "The body did not arrive in time.",
    409: "Conflicts with the current state; `code` names the conflict.",
    413: "The body is too large.",
    422: "A field is invalid; `detail` names it.",
    429: "The user's limit is reached; nothing was reserved.",
    503: "The database is unavailable; try again after Retry-After seconds.",
}

DESCRIPTION = """Meeting bots on Kubernetes. Send your key as `X-API-Key`. Clients written for Vexa work unchanged;
`docs/reference/vexa-compatibility.md` lists how its versions differ and what Usher answers."""


def document(routes: list[Route]) -> Json:
    """The document of these routes."""
    routes = [route for route in routes if not route.hidden]
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Usher",
            "version": version("usher"),
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in routes)],
        "paths": paths,
        "components": {"schemas": _schemas(routes), "securitySchemes": _security_schemes()},
    }


def _security_schemes() -> Json:
    return {
        "user": {"type": "apiKey", "in": "header", "name": USER_HEADER},
        "admin": {"type": "apiKey", "in": "header", "name": ADMIN_HEADER},
    }


def _operation(route: Route) -> Json:
    operation: Json = {
        "operationId": f"{route.tag.lower()}_{getattr(route.handler, '__name__', 'call')}",
        "summary": route.summary,
        "description": (route.handler.__doc__ or route.summary).strip(),
        "tags": [route.tag],
        "security": [{"admin" if route.caller is Caller.ADMIN else "user": []}],
        "parameters": [
            *_parameters(route.takes.path, "path"),
            *_parameters(route.takes.query, "query"),
            *_parameters(route.takes.headers, "header"),
        ],
        "responses": _responses(route),
    }
    if route.takes.body:
        content = {"application/json": {"schema": _reference(route.takes.body)}}
        operation["requestBody"] = {"required": not route.body_optional, "content": content}
    return operation


def _parameters(model: type[BaseModel], where: str) -> list[Json]:
    schema = TypeAdapter(model).json_schema(ref_template=REFERENCE)
    return [
        {
            "name": name.title().replace("_", "-") if where == "header" else name,
            "in": where,
            "description": field.get("description", ""),
            "required": where == "path",
            "schema": _plain(field, schema.get("$defs", {})),
        }
        for name, field in schema.get("properties", {}).items()
    ]


def _plain(field: Json, defs: Json) -> Json:
    """A parameter's schema without references, and without null, which a query cannot express."""
    kinds = [kind for kind in field.get("anyOf", [field]) if kind.get("type") != "null"]
    kind: Json = kinds[0]
    if "$ref" in kind:
        kind = defs[kind["$ref"].rpartition("/")[2]]
    return {key: value for key, value in kind.items() if key not in ("title", "default", "description")} | (
        {"default": field["default"]} if field.get("default") is not None else {}
    )


def _responses(route: Route) -> Json:
    bodies = {408} if route.takes.body else set()
    problems = sorted({400, *EVERYWHERE, *route.problems, *bodies})
    given = {str(status): _given(route) for status in (route.status, *route.also)}
    return given | {str(status): _problem(status, route) for status in problems}


def _given(route: Route) -> Json:
    if route.gives is None:
        return {"description": "Done."}
    schema = TypeAdapter(route.gives).json_schema(mode="serialization", ref_template=REFERENCE)
    defs = schema.pop("$defs", None)
    if defs is None or "properties" in schema:
        schema = _reference(route.gives)
    return {"description": "Done.", "content": {"application/json": {"schema": schema}}}


def _problem(status: int, route: Route) -> Json:
    models: dict[int, type[BaseModel]] = {422: InvalidRequest, 429: LimitReached}
    model = models.get(status, Problem)
    if status == 409 and route.path == "/bots":
        model = Duplicate
    answer: Json = {
        "description": MEANINGS[status],
        "content": {"application/json": {"schema": _reference(model)}},
    }
    if status in (429, 503):
        answer["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return answer


def _reference(model: Any) -> Json:
    return {"$ref": REFERENCE.format(model=model.__name__)}


def _schemas(routes: list[Route]) -> Json:
    taken = {route.takes.body for route in routes if route.takes.body}
    given = {kind for route in routes for kind in _models(route.gives)}
    pairs: list[tuple[Any, Any]] = [(model, "validation") for model in taken]
    pairs += [(model, "serialization") for model in given | {Problem, InvalidRequest, LimitReached, Duplicate}]
    _, schema = models_json_schema(sorted(pairs, key=lambda pair: pair[0].__name__), ref_template=REFERENCE)
    return dict(sorted(schema["$defs"].items()))


def _models(kind: Any) -> list[type[BaseModel]]:
    if kind is None:
        return []
    inner = getattr(kind, "__args__", None)
    return list(inner) if inner else [kind]
