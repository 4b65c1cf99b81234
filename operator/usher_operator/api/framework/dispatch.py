"""From an HTTP request to a handler's `Call`, and from its answer to an HTTP response."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from aiohttp import web
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import from_json

from usher_models.db.api_tokens import KeyOwner
from usher_models.db.shares import on_behalf_of
from usher_models.errors import InvalidInput
from usher_operator.api.auth import Authentication
from usher_operator.api.framework.route import Answer, Call, Nothing, Route
from usher_operator.api.vexa.legacy_statuses import LEGACY_STATUSES
from usher_operator.http.field_errors import field_errors
from usher_operator.http.server import whole_body

BODY_MAX_BYTES = 256 * 1024
BODY_TIMEOUT_S = 10
# RFC 9110 names are free; what a client sends must not grow the answer's head without bound.
WARNINGS_MAX = 10

AnyCall = Call[BaseModel, BaseModel, BaseModel, BaseModel]


def bind(
    route: Route, *, authentication: Authentication, legacy_statuses: bool = False
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The aiohttp handler of a route."""
    gives = TypeAdapter(route.gives) if route.gives is not None else None
    context = {LEGACY_STATUSES: legacy_statuses}

    async def handle(request: web.Request) -> web.Response:
        owner = await authentication.authenticate(route, request.headers)
        call, ignored = await _read(route, request, owner)
        # One user takes at most a share of the database's connections.
        with on_behalf_of(f"user {owner.user_id}") if owner else nullcontext():
            result = await route.handler(call)
        answer = result if isinstance(result, Answer) else Answer(body=result)
        headers = answer.headers | _warning((*answer.warnings, *ignored))
        status = answer.status or route.status
        if gives is None:
            return web.Response(status=status, headers=headers)
        text = gives.dump_json(answer.body, context=context).decode()
        return web.Response(status=status, text=text, content_type="application/json", headers=headers)

    return handle


def _warning(sentences: Sequence[str]) -> dict[str, str]:
    """The header Warning, code 299: "miscellaneous persistent warning"."""
    values = [f'299 usher "{_quotable(sentence)}"' for sentence in sentences[:WARNINGS_MAX]]
    return {"Warning": ", ".join(values)} if values else {}


def _quotable(sentence: str) -> str:
    printable = "".join(char if " " <= char <= "~" else "?" for char in sentence[:200])
    return printable.replace("\\", "\\\\").replace('"', '\\"')


async def _read(route: Route, request: web.Request, owner: KeyOwner | None) -> tuple[AnyCall, list[str]]:
    """The call, and a warning for each parameter that the route does not have."""
    takes = route.takes
    headers = {key.lower().replace("-", "_"): value for key, value in request.headers.items()}
    query = dict(request.query)
    body = await _body(request, optional=route.body_optional) if takes.body else {}
    call: AnyCall = Call(
        path=_parse(takes.path, dict(request.match_info), where="path"),
        query=_parse(takes.query, query, where="query"),
        headers=_parse(takes.headers, headers, where="header"),
        body=_parse(takes.body or Nothing, body, where="body"),
        owner=owner,
    )
    ignored = [*_ignored(takes.query, query), *(_ignored(takes.body, body) if takes.body else ())]
    return call, ignored


def _ignored(model: type[BaseModel], values: object) -> list[str]:
    names = values if isinstance(values, Mapping) else {}
    return [f"{name} is not supported and was ignored." for name in names if name not in model.model_fields]


def _parse[Model: BaseModel](model: type[Model], values: object, *, where: str) -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as exc:
        raise InvalidInput(field_errors(exc, where)) from exc


async def _body(request: web.Request, *, optional: bool) -> Any:
    try:
        raw = await whole_body(request, within_s=BODY_TIMEOUT_S)
    except TimeoutError as exc:
        raise web.HTTPRequestTimeout from exc
    if not raw and optional:
        return {}
    try:
        return from_json(raw)
    except ValueError as exc:
        raise InvalidInput([{"loc": ["body"], "msg": "must be a JSON object", "type": "json_invalid"}]) from exc
