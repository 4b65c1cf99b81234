"""The calling user: limit, use and webhook."""

from dataclasses import dataclass

from usher_models.db import users, webhook_deliveries
from usher_models.db.engine import Database
from usher_operator.api.framework.route import Answer, Call, Nothing, Route
from usher_operator.api.schemas.accounts import UserResponse, WebhookResponse
from usher_operator.api.schemas.users import FOREIGN_EVENTS, WebhookPut

READ = frozenset({"bot", "tx"})
WRITE = frozenset({"bot"})
# A shorter secret is not shown at all.
MASKED_FROM = 9

REMOVED_WITH_HOST = (
    "webhook_secret was removed because the webhook moved to another host; send a secret for the new one."
)


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
                method="GET",
                path="/user/webhook",
                handler=self.webhook,
                summary="Get the webhook's settings",
                tag="User",
                problems=(404,),
                scopes=READ,
            ),
            Route(
                method="PUT",
                path="/user/webhook",
                handler=self.set_webhook,
                summary="Set the webhook",
                tag="User",
                problems=(404,),
                scopes=WRITE,
            ),
        ]

    async def me(self, call: Call) -> UserResponse:
        """The user whose key it is."""
        async with self.database.transaction() as connection:
            return UserResponse.of(await users.user_by_id(connection, call.user_id))

    async def webhook(self, call: Call) -> WebhookResponse:
        """The settings, with the secret masked."""
        async with self.database.transaction() as connection:
            user = await users.user_by_id(connection, call.user_id)
            paused = await webhook_deliveries.is_paused(connection, call.user_id)
        url, secret, events = (user.data.get(f"webhook_{name}") for name in ("url", "secret", "events"))
        return WebhookResponse(
            webhook_url=url if isinstance(url, str) else None,
            webhook_secret_set=bool(secret),
            webhook_secret=_masked(secret) if isinstance(secret, str) and secret else None,
            webhook_events=_readable(events),
            paused=paused,
        )

    async def set_webhook(self, call: Call[Nothing, Nothing, WebhookPut]) -> Answer[UserResponse]:
        """Store the target; an omitted secret or event list is kept, a null one removed."""
        data = call.body.model_dump(exclude_unset=True)
        async with self.database.transaction() as connection:
            before = await users.locked_data(connection, call.user_id)
            user = await users.change_user(connection, call.user_id, data=data)
        lost = before.get("webhook_secret") and "webhook_secret" not in data and "webhook_secret" not in user.data
        warnings = [REMOVED_WITH_HOST] if lost else []
        chosen = data.get("webhook_events") or ()
        warnings += [f"{name} is never sent by Usher." for name in chosen if name in FOREIGN_EVENTS]
        return Answer(body=UserResponse.of(user), warnings=warnings)


def _readable(events: object) -> list[str] | dict[str, bool] | None:
    """The chosen events; another program may have stored anything."""
    if isinstance(events, list):
        return [name for name in events if isinstance(name, str)]
    if isinstance(events, dict):
        return {name: chosen for name, chosen in events.items() if isinstance(chosen, bool)}
    return None


def _masked(secret: str) -> str:
    return "*" * 8 + (secret[-4:] if len(secret) >= MASKED_FROM else "")
