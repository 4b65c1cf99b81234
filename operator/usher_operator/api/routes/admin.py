"""The admin API: users, their limits and their tokens."""

from dataclasses import dataclass
from typing import Any

from usher_models.db import api_tokens, meetings, users
from usher_models.db.engine import Database
from usher_operator.api.framework.route import Answer, Call, Caller, Nothing, Route
from usher_operator.api.schemas.accounts import (
    MeetingsUsers,
    TokenCreated,
    TokenListed,
    UserDetail,
    UserMeeting,
    UserResponse,
)
from usher_operator.api.schemas.meetings import IdPath
from usher_operator.api.schemas.responses import MeetingResponse
from usher_operator.api.schemas.users import EmailPath, Page, TokenCreate, TokenQuery, UserCreate, UserPatch


@dataclass(frozen=True, kw_only=True)
class Admin:
    """The handlers of /admin."""

    database: Database

    def routes(self) -> list[Route]:
        """The route table."""
        shared: dict[str, Any] = {"caller": Caller.ADMIN, "tag": "Admin"}
        one: dict[str, Any] = shared | {"path": "/admin/users/{id}", "problems": (404,)}
        tokens: dict[str, Any] = shared | {"path": "/admin/users/{id}/tokens"}
        return [
            Route(
                method="POST",
                path="/admin/users",
                handler=self.create_user,
                summary="Create a user, or return the one with this email",
                status=201,
                also=(200,),
                **shared,
            ),
            Route(method="GET", path="/admin/users", handler=self.list_users, summary="List users", **shared),
            Route(
                method="GET",
                path="/admin/users/email/{email}",
                handler=self.user_by_email,
                summary="Get a user by email",
                problems=(404,),
                **shared,
            ),
            Route(method="GET", handler=self.user, summary="Get a user with tokens", **one),
            Route(method="PATCH", handler=self.change_user, summary="Change a user", **one),
            Route(
                method="POST",
                handler=self.create_token,
                summary="Create a token; its secret is returned only once",
                body_optional=True,
                status=201,
                problems=(404,),
                **tokens,
            ),
            Route(
                method="GET",
                handler=self.list_tokens,
                summary="List a user's tokens, without secrets",
                problems=(404,),
                **tokens,
            ),
            Route(
                method="DELETE",
                path="/admin/tokens/{id}",
                handler=self.revoke_token,
                summary="Revoke a token",
                status=204,
                problems=(404,),
                **shared,
            ),
            Route(
                method="GET",
                path="/admin/stats/meetings-users",
                handler=self.stats,
                summary="List all users' meetings, the newest first",
                **shared,
            ),
        ]

    async def create_user(self, call: Call[Nothing, Nothing, UserCreate]) -> Answer[UserResponse]:
        """201 for a new user, 200 for an existing one."""
        fields = call.body.model_dump(exclude_none=True)
        async with self.database.transaction() as connection:
            user, created = await users.find_or_create(connection, **fields)
        return Answer(body=UserResponse.of(user), status=201 if created else 200)

    async def list_users(self, call: Call[Nothing, Page]) -> list[UserResponse]:
        """One page."""
        async with self.database.transaction() as connection:
            page = await users.users(connection, limit=call.query.limit, offset=call.query.skip)
        return [UserResponse.of(user) for user in page]

    async def user_by_email(self, call: Call[EmailPath]) -> UserResponse:
        """One user."""
        async with self.database.transaction() as connection:
            return UserResponse.of(await users.user_by_email(connection, call.path.email))

    async def user(self, call: Call[IdPath]) -> UserDetail:
        """One user with tokens."""
        async with self.database.transaction() as connection:
            user = UserResponse.of(await users.user_by_id(connection, call.path.id))
            tokens = await api_tokens.tokens_of(connection, call.path.id)
        return UserDetail(**user.model_dump(), api_tokens=[TokenListed.of(token) for token in tokens])

    async def change_user(self, call: Call[IdPath, Nothing, UserPatch]) -> UserResponse:
        """Change the given fields; null removes a name or an image."""
        fields = call.body.model_dump(exclude_unset=True)
        async with self.database.transaction() as connection:
            return UserResponse.of(await users.change_user(connection, call.path.id, **fields))

    async def create_token(self, call: Call[IdPath, TokenQuery, TokenCreate]) -> TokenCreated:
        """A new token."""
        body, query = call.body, call.query
        named = [query.scope] if query.scope else []
        async with self.database.transaction() as connection:
            token, secret = await api_tokens.create_token(
                connection,
                call.path.id,
                name=body.name or query.name,
                scopes=list(body.scopes or query.scopes or named),
                expires_in_s=body.expires_in or query.expires_in,
            )
        return TokenCreated(**TokenListed.of(token).model_dump(), token=secret)

    async def list_tokens(self, call: Call[IdPath]) -> list[TokenListed]:
        """A user's tokens."""
        async with self.database.transaction() as connection:
            await users.user_by_id(connection, call.path.id)
            return [TokenListed.of(token) for token in await api_tokens.tokens_of(connection, call.path.id)]

    async def revoke_token(self, call: Call[IdPath]) -> None:
        """Revoke a token, which stops working within seconds."""
        async with self.database.transaction() as connection:
            await api_tokens.revoke_token(connection, call.path.id)

    async def stats(self, call: Call[Nothing, Page]) -> MeetingsUsers:
        """All users' meetings."""
        page = call.query
        async with self.database.transaction() as connection:
            total, records = await meetings.of_all_users(connection, limit=page.limit, offset=page.skip)
            owners = await users.users_by_id(connection, sorted({record.user_id for record in records}))
        return MeetingsUsers(total=total, items=[_with_owner(record, owners) for record in records])


def _with_owner(record: meetings.Record, owners: dict[int, users.User]) -> UserMeeting:
    owner = owners.get(record.user_id)
    meeting = MeetingResponse.of(record).model_dump()
    return UserMeeting(**meeting, user=UserResponse.of(owner) if owner else None)
