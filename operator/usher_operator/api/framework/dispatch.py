"""From an HTTP request to a handler's `Call`, and from its answer to an HTTP response."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, TypeAdapter, ValidationError

from usher_models.db.api_tokens import KeyOwner
from usher_models.errors import InvalidInput
from usher_operator.api.auth import ADMIN_HEADER, USER_HEADER, AdminKey, UserKeys
from usher_operator.api.framework.route import Answer, Call, Nothing, Route
from usher_operator.api.vexa.legacy_statuses import LEGACY_STATUSES
from usher_operator.http.server import whole_body

BODY_MAX_BYTES = 256 * 1024
BODY_TIMEOUT_S = 10

Model = TypeVar("Model", bound=BaseModel)
AnyCall = Call[BaseModel, BaseModel, BaseModel, BaseModel]


def bind(
    route: Route, *, users: UserKeys, admin: AdminKey, legacy_statuses: bool = False
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The aiohttp handler of a route."""
    gives = TypeAdapter(route.gives) if route.gives is not None else None
    context = {LEGACY_STATUSES: legacy_statuses}

    async def handle(request: web.Request) -> web.Response:
        owner = None
        if route.admin:
            admin.check(request.headers.get(ADMIN_HEADER))
        else:
            owner = await users.owner(request.headers.get(USER_HEADER), scopes=route.scopes)
        result = await route.handler(await _read(route, request, owner))
        answer = result if isinstance(result, Answer) else Answer(body=result)
        status = answer.status or route.status
        if gives is None:
            return web.Response(status=status, headers=answer.headers)
        text = gives.dump_json(answer.body, context=context).decode()
        return web.Response(status=status, text=text, content_type="application/json", headers=answer.headers)

    return handle


async def _read(route: Route, request: web.Request, owner: KeyOwner | None) -> AnyCall:
    takes = route.takes
    headers = {key.lower().replace("-", "_"): value for key, value in request.headers.items()}
    return Call(
        path=_parse(takes.path, dict(request.match_info), where="path"),
        query=_parse(takes.query, dict(request.query), where="query"),
        headers=_parse(takes.headers, headers, where="header"),
        body=await _body(takes.body, request, optional=route.body_optional) if takes.body else Nothing(),
        owner=owner,
    )


def _parse(model: type[Model], values: dict[str, str], *, where: str) -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as exc:
        raise _invalid(exc, where=where) from exc


async def _body(model: type[Model], request: web.Request, *, optional: bool) -> Model:
    try:
        raw = await whole_body(request, within_s=BODY_TIMEOUT_S)
    except TimeoutError as exc:
        raise web.HTTPRequestTimeout from exc
    if not raw and optional:
        return model()
    try:
        return model.model_validate_json(raw)
    except ValidationError as exc:
        raise _invalid(exc, where="body") from exc


def _invalid(error: ValidationError, *, where: str) -> InvalidInput:
    wrong = error.errors(include_url=False, include_context=False, include_input=False)
    return InvalidInput([{"loc": [where, *one["loc"]], "msg": one["msg"], "type": one["type"]} for one in wrong])
