"""What Vexa's own gateways ask their services: who a key belongs to, and which meetings a client may follow.

A gateway of Vexa 0.10.7 or newer points both ADMIN_API_URL and MEETING_API_URL at Usher.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db import api_tokens, meetings, users
from usher_models.db.engine import Database
from usher_models.db.users import User
from usher_models.errors import NotFound, Unauthorized
from usher_operator.api.framework.route import Call, Caller, Nothing, Route
from usher_operator.api.schemas.fields import Input
from usher_operator.api.schemas.output import Output

ALL_SCOPES = ["bot", "browser", "tx"]
SUBSCRIPTIONS_MAX = 100


class Validate(Input):
    """A key to check."""

    token: Annotated[str, Field(max_length=1024)] = ""
    """The key."""


class Validated(Output):
    """The owner of a key. The webhook stays out: Usher sends webhooks itself, and its secret need not travel."""

    user_id: int
    scopes: list[str]
    max_concurrent: int
    email: str
    is_admin: bool
    workspaces: list[str]


class Subscribe(Input):
    """The meetings that a client wants to follow."""

    meetings: Annotated[list[Any], Field(min_length=1, max_length=SUBSCRIPTIONS_MAX)]


class Subscribed(Output):
    """Those that belong to the client, and why others do not."""

    authorized: list[dict[str, str]]
    errors: list[str]
    user_id: int


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """The handlers for gateways."""

    database: Database

    def routes(self) -> list[Route]:
        """The route table."""
        return [
            Route(
                method="POST",
                path="/internal/validate",
                handler=self.validate,
                summary="Check a key",
                tag="Gateway",
                caller=Caller.GATEWAY,
                hidden=True,
            ),
            Route(
                method="POST",
                path="/ws/authorize-subscribe",
                handler=self.authorize,
                summary="Check which meetings the calling user may follow",
                tag="Gateway",
                hidden=True,
            ),
        ]

    async def validate(self, call: Call[Nothing, Nothing, Validate]) -> Validated:
        """The owner of a key. Raises Unauthorized."""
        async with self.database.reading() as connection:
            key = call.body.token
            owner = await api_tokens.owner_of(connection, key) if key.isascii() and "\0" not in key else None
            if owner is None:
                raise Unauthorized("The API key is unknown, revoked or expired.")
            user = await users.user_by_id(connection, owner.user_id)
        return _validated(user, scopes=sorted(owner.scopes))

    async def authorize(self, call: Call[Nothing, Nothing, Subscribe]) -> Subscribed:
        """Look each meeting up among those of the calling user."""
        authorized, errors = [], []
        async with self.database.reading() as connection:
            for number, name in enumerate(call.body.meetings):
                try:
                    authorized.append(await followed(connection, name, user_id=call.user_id))
                except NotFound:
                    errors.append(f"meetings[{number}] not authorized or not found for user")
        return Subscribed(authorized=authorized, errors=errors, user_id=call.user_id)


async def followed(connection: AsyncConnection, name: object, *, user_id: int) -> dict[str, str]:
    """The meeting that a client named, as gateways of Vexa expect it. Raises NotFound."""
    named = name if isinstance(name, dict) else {}
    platform, native_id = (str(named.get(field, "")).strip() for field in ("platform", "native_meeting_id"))
    if not platform or not native_id or "\0" in platform + native_id:
        raise NotFound
    record = await meetings.newest(connection, platform, native_id, user_id=user_id)
    return {
        "platform": platform,
        "native_id": native_id,
        "user_id": str(user_id),
        "meeting_id": str(record.id),
    }


def _validated(user: User, *, scopes: list[str]) -> Validated:
    memberships = user.data.get("memberships")
    entries = memberships if isinstance(memberships, list) else []
    joined = [entry.get("workspace_id") for entry in entries if isinstance(entry, dict)]
    return Validated(
        user_id=user.id,
        scopes=scopes or ALL_SCOPES,
        max_concurrent=user.max_concurrent_bots,
        email=user.email,
        is_admin=user.data.get("is_admin") is True,
        workspaces=[str(workspace) for workspace in joined if workspace],
    )
