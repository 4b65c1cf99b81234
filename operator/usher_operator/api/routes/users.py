"""The calling user: limit, use and webhook."""

from dataclasses import dataclass

from usher_models.db import users
from usher_models.db.engine import Database
from usher_operator.api.framework.route import Call, Nothing, Route
from usher_operator.api.schemas.requests import WebhookPut
from usher_operator.api.schemas.responses import UserResponse


@dataclass(frozen=True, kw_only=True)
class Users:
    """The handlers of /user."""

    database: Database

    def routes(self) -> list[Route]:
        """The route table."""
        return [
            Route(
                method="GET",
                path="/user",
                handler=self.me,
                summary="Get the calling user, limit and use",
                tag="User",
                problems=(404,),
            ),
            Route(
                method="PUT",
                path="/user/webhook",
                handler=self.webhook,
                summary="Set the webhook",
                tag="User",
                problems=(404,),
            ),
        ]

    async def me(self, call: Call) -> UserResponse:
        """The user whose key it is."""
        async with self.database.transaction() as connection:
            return UserResponse.of(await users.user_by_id(connection, call.user_id))

    async def webhook(self, call: Call[Nothing, Nothing, WebhookPut]) -> UserResponse:
        """Store the target; secret and events stay unless they are given."""
        data = {"webhook_url": call.body.webhook_url} | call.body.model_dump(exclude_none=True)
        async with self.database.transaction() as connection:
            return UserResponse.of(await users.change_user(connection, call.user_id, data=data))
