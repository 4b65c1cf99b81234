"""One route: its path, its handler and who may call it. The server and the OpenAPI document are made from it.

A handler's signature is the contract. Its argument, a `Call`, names the models of path, query, body and headers, which
are parsed before the handler runs; its return type names the model of the answer.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from types import NoneType
from typing import Any, Generic, Literal, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from typing_extensions import TypeVar

from usher_models.db.api_tokens import KeyOwner
from usher_models.errors import Unauthorized
from usher_operator.api.schemas.fields import Input

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Nothing(Input):
    """No parameters."""


class Caller(Enum):
    """Who may call a route."""

    USER = "user"
    ADMIN = "admin"
    GATEWAY = "gateway"


PathT = TypeVar("PathT", bound=BaseModel, default=Nothing)
QueryT = TypeVar("QueryT", bound=BaseModel, default=Nothing)
BodyT = TypeVar("BodyT", bound=BaseModel, default=Nothing)
HeadersT = TypeVar("HeadersT", bound=BaseModel, default=Nothing)


@dataclass(frozen=True, kw_only=True)
class Call(Generic[PathT, QueryT, BodyT, HeadersT]):
    """One request, parsed; `owner` is None unless the route is for users."""

    path: PathT
    query: QueryT
    body: BodyT
    headers: HeadersT
    owner: KeyOwner | None

    @property
    def user_id(self) -> int:
        """The calling user's id. Raises Unauthorized on a route that is not for users."""
        if self.owner is None:
            raise Unauthorized
        return self.owner.user_id


@dataclass(frozen=True, kw_only=True)
class Answer[GivesT]:
    """A body with a status other than the route's own, with headers, or with warnings about the request."""

    body: GivesT
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    warnings: Sequence[str] = ()


Handler = Callable[[Call[Any, Any, Any, Any]], Awaitable[object]]


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The models of a route's parameters; `body` is None for a route that reads none."""

    path: type[BaseModel]
    query: type[BaseModel]
    body: type[BaseModel] | None
    headers: type[BaseModel]


@dataclass(frozen=True, kw_only=True)
class Route:
    """One row of the route table. `problems` are the error statuses beyond those that every route has; a `hidden` route
    is not in the OpenAPI document."""

    method: Method
    path: str
    handler: Handler
    summary: str
    tag: str
    status: int = 200
    also: tuple[int, ...] = ()
    body_optional: bool = False
    problems: tuple[int, ...] = ()
    caller: Caller = Caller.USER
    scopes: frozenset[str] = frozenset()
    hidden: bool = False

    @cached_property
    def takes(self) -> Inputs:
        """The models of the parameters, as the handler's `call` names them."""
        named: tuple[type[BaseModel], ...] = get_args(get_type_hints(self.handler)["call"])
        path, query, body, headers = named + (Nothing,) * (4 - len(named))
        return Inputs(path=path, query=query, body=None if body is Nothing else body, headers=headers)

    @cached_property
    def gives(self) -> Any:
        """The type of the answer's body, as the handler's return type names it; None without a body."""
        given = get_type_hints(self.handler)["return"]
        if get_origin(given) is Answer:
            (given,) = get_args(given)
        return None if given is NoneType else given
