"""One route: what it takes, what it gives, who may call it. The server and the OpenAPI document are made from it.

A handler gets a `Call`, whose path, query and body are parsed already, and returns an `Answer` or a model.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, TypeAdapter, ValidationError

from usher_models.db.api_tokens import Holder
from usher_models.errors import InvalidInput, Unauthorized
from usher_operator.api.auth import ADMIN_HEADER, USER_HEADER, AdminKey, UserKeys
from usher_operator.api.schemas.requests import Input
from usher_operator.api.vexa.legacy_statuses import LEGACY_STATUSES
from usher_operator.http.server import whole_body

BODY_MAX_BYTES = 256 * 1024
BODY_TIMEOUT_S = 10


class Nothing(Input):
    """No parameters."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request, understood."""

    path: Any
    query: Any
    body: Any
    headers: Any
    holder: Holder | None

    @property
    def user_id(self) -> int:
        """Whose request it is; only of routes for users."""
        if self.holder is None:
            raise Unauthorized
        return self.holder.user_id


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A body with a status other than the route's own, or with headers."""

    body: Any
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True, kw_only=True)
class Route:
    """One line of the route table. `problems` are the refusals beyond those that every route has."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    handler: Handler
    summary: str
    tag: str
    gives: Any
    status: int = 200
    also: tuple[int, ...] = ()
    takes: type[BaseModel] | None = None
    body_optional: bool = False
    path_model: type[BaseModel] = Nothing
    query: type[BaseModel] = Nothing
    headers: type[BaseModel] = Nothing
    problems: tuple[int, ...] = ()
    admin: bool = False
    scopes: frozenset[str] = frozenset()


def bind(
    route: Route, *, users: UserKeys, admin: AdminKey, legacy_statuses: bool = False
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The aiohttp handler of a route."""
    answer_of = TypeAdapter(route.gives) if route.gives is not None else None
    context = {LEGACY_STATUSES: legacy_statuses}

    async def handle(request: web.Request) -> web.Response:
        holder = None
        if route.admin:
            admin.check(request.headers.get(ADMIN_HEADER))
        else:
            holder = await users.holder(request.headers.get(USER_HEADER), scopes=route.scopes)
        result = await route.handler(await _read(route, request, holder))
        answer = result if isinstance(result, Answer) else Answer(body=result)
        status = answer.status or route.status
        if answer_of is None:
            return web.Response(status=status, headers=answer.headers)
        text = answer_of.dump_json(answer.body, context=context).decode()
        return web.Response(status=status, text=text, content_type="application/json", headers=answer.headers)

    return handle


async def _read(route: Route, request: web.Request, holder: Holder | None) -> Call:
    named = {key.lower().replace("-", "_"): value for key, value in request.headers.items()}
    return Call(
        path=_parse(route.path_model, dict(request.match_info), where="path"),
        query=_parse(route.query, dict(request.query), where="query"),
        headers=_parse(route.headers, named, where="header"),
        body=await _body(route, request),
        holder=holder,
    )


def _parse[Model: BaseModel](model: type[Model], values: dict[str, str], *, where: str) -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as exc:
        raise _invalid(exc, where=where) from exc


async def _body(route: Route, request: web.Request) -> BaseModel | None:
    if route.takes is None:
        return None
    try:
        raw = await whole_body(request, within_s=BODY_TIMEOUT_S)
    except TimeoutError as exc:
        raise web.HTTPRequestTimeout from exc
    if not raw and route.body_optional:
        return route.takes()
    try:
        return route.takes.model_validate_json(raw)
    except ValidationError as exc:
        raise _invalid(exc, where="body") from exc


def _invalid(error: ValidationError, *, where: str) -> InvalidInput:
    wrong = error.errors(include_url=False, include_context=False, include_input=False)
    return InvalidInput([{"loc": [where, *one["loc"]], "msg": one["msg"], "type": one["type"]} for one in wrong])
