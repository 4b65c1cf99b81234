"""The calling user: limit, use, and where webhooks go."""

from dataclasses import dataclass

from usher_models.db import users
from usher_models.db.engine import Database
from usher_operator.api.framework.route import Call, Route
from usher_operator.api.schemas.requests import WebhookPut
from usher_operator.api.schemas.responses import UserResponse


@dataclass(frozen=True, kw_only=True)
class Users:
    """The handlers and what they work with."""

    database: Database

    def routes(self) -> list[Route]:
        """The route table."""
        return [
            Route(
                method="GET",
                path="/user",
                handler=self.me,
                summary="Limit and use",
                tag="User",
                gives=UserResponse,
                problems=(404,),
            ),
            Route(
                method="PUT",
                path="/user/webhook",
                handler=self.webhook,
                summary="Where events go",
                tag="User",
                takes=WebhookPut,
                gives=UserResponse,
                problems=(404,),
            ),
        ]

    async def me(self, call: Call) -> UserResponse:
        """The user whose key it is."""
        async with self.database.transaction() as connection:
            return UserResponse.of(await users.user_by_id(connection, call.user_id))

    async def webhook(self, call: Call) -> UserResponse:
        """Store the target; secret and events stay unless they are given."""
        body: WebhookPut = call.body
        data = {"webhook_url": body.webhook_url} | body.model_dump(exclude_none=True)
        async with self.database.transaction() as connection:
            return UserResponse.of(await users.change_user(connection, call.user_id, data=data))
