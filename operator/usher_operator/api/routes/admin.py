"""The operator's side: users, their limits and their tokens."""

from dataclasses import dataclass
from typing import Any

from usher_models.db import api_tokens, meetings, users
from usher_models.db.engine import Database
from usher_operator.api.framework.route import Answer, Call, Route
from usher_operator.api.schemas.requests import EmailPath, IdPath, Page, TokenCreate, UserCreate, UserPatch
from usher_operator.api.schemas.responses import (
    MeetingResponse,
    MeetingsUsers,
    TokenCreated,
    TokenListed,
    UserDetail,
    UserMeeting,
    UserResponse,
)


@dataclass(frozen=True, kw_only=True)
class Admin:
    """The handlers and what they work with."""

    database: Database

    def routes(self) -> list[Route]:
        """The route table."""
        shared: dict[str, Any] = {"admin": True, "tag": "Admin"}
        one: dict[str, Any] = shared | {"path": "/admin/users/{id}", "path_model": IdPath, "problems": (404,)}
        theirs: dict[str, Any] = one | {"path": "/admin/users/{id}/tokens"}
        return [
            Route(
                method="POST",
                path="/admin/users",
                handler=self.create_user,
                summary="Create a user, or find the one with that address",
                takes=UserCreate,
                gives=UserResponse,
                status=201,
                also=(200,),
                **shared,
            ),
            Route(
                method="GET",
                path="/admin/users",
                handler=self.list_users,
                summary="Every user",
                query=Page,
                gives=list[UserResponse],
                **shared,
            ),
            Route(
                method="GET",
                path="/admin/users/email/{email}",
                handler=self.user_by_email,
                summary="One user, by address",
                path_model=EmailPath,
                gives=UserResponse,
                problems=(404,),
                **shared,
            ),
            Route(method="GET", handler=self.user, summary="One user, with tokens", gives=UserDetail, **one),
            Route(
                method="PATCH",
                handler=self.change_user,
                summary="Change a user",
                takes=UserPatch,
                gives=UserResponse,
                **one,
            ),
            Route(
                method="POST",
                handler=self.create_token,
                summary="Create a token; its secret is shown this once",
                takes=TokenCreate,
                body_optional=True,
                gives=TokenCreated,
                status=201,
                **theirs | {"problems": (404, 409)},
            ),
            Route(
                method="GET",
                handler=self.list_tokens,
                summary="A user's tokens, without their secrets",
                gives=list[TokenListed],
                **theirs,
            ),
            Route(
                method="DELETE",
                path="/admin/tokens/{id}",
                handler=self.revoke_token,
                summary="Revoke a token",
                path_model=IdPath,
                gives=None,
                status=204,
                problems=(404,),
                **shared,
            ),
            Route(
                method="GET",
                path="/admin/stats/meetings-users",
                handler=self.stats,
                summary="Everybody's meetings, the newest first",
                query=Page,
                gives=MeetingsUsers,
                **shared,
            ),
        ]

    async def create_user(self, call: Call) -> Answer:
        """201 for a new user, 200 for one who exists."""
        fields = call.body.model_dump(exclude_none=True)
        async with self.database.transaction() as connection:
            user, created = await users.find_or_create(connection, **fields)
        return Answer(body=UserResponse.of(user), status=201 if created else 200)

    async def list_users(self, call: Call) -> list[UserResponse]:
        """One page."""
        async with self.database.transaction() as connection:
            found = await users.users(connection, limit=call.query.limit, offset=call.query.skip)
        return [UserResponse.of(user) for user in found]

    async def user_by_email(self, call: Call) -> UserResponse:
        """One user."""
        async with self.database.transaction() as connection:
            return UserResponse.of(await users.user_by_email(connection, call.path.email))

    async def user(self, call: Call) -> UserDetail:
        """One user with tokens."""
        async with self.database.transaction() as connection:
            user = UserResponse.of(await users.user_by_id(connection, call.path.id))
            found = await api_tokens.tokens_of(connection, call.path.id)
        return UserDetail(**user.model_dump(), api_tokens=[TokenListed.of(token) for token in found])

    async def change_user(self, call: Call) -> UserResponse:
        """Change what is given; a null takes a name or picture away."""
        fields = call.body.model_dump(exclude_unset=True)
        async with self.database.transaction() as connection:
            return UserResponse.of(await users.change_user(connection, call.path.id, **fields))

    async def create_token(self, call: Call) -> TokenCreated:
        """A new token."""
        body: TokenCreate = call.body
        async with self.database.transaction() as connection:
            token, secret = await api_tokens.create_token(
                connection, call.path.id, name=body.name, scopes=list(body.scopes or []), expires_in_s=body.expires_in
            )
        return TokenCreated(**TokenListed.of(token).model_dump(), token=secret)

    async def list_tokens(self, call: Call) -> list[TokenListed]:
        """A user's tokens."""
        async with self.database.transaction() as connection:
            await users.user_by_id(connection, call.path.id)
            return [TokenListed.of(token) for token in await api_tokens.tokens_of(connection, call.path.id)]

    async def revoke_token(self, call: Call) -> None:
        """It stops working within seconds."""
        async with self.database.transaction() as connection:
            await api_tokens.revoke_token(connection, call.path.id)

    async def stats(self, call: Call) -> MeetingsUsers:
        """Everybody's meetings."""
        page: Page = call.query
        async with self.database.transaction() as connection:
            total, found = await meetings.everybodys(connection, limit=page.limit, offset=page.skip)
            owners = await users.users_by_id(connection, sorted({record.user_id for record in found}))
        return MeetingsUsers(total=total, items=[_with_owner(record, owners) for record in found])


def _with_owner(record: meetings.Record, owners: dict[int, users.User]) -> UserMeeting:
    owner = owners.get(record.user_id)
    shown = MeetingResponse.of(record).model_dump()
    return UserMeeting(**shown, user=UserResponse.of(owner) if owner else None)
