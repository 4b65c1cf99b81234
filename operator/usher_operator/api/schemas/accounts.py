"""Answers of /user and /admin as pydantic models."""

from typing import Annotated, Any, Literal

from pydantic import Field

from usher_models.db.api_tokens import Token
from usher_models.db.users import User
from usher_operator.api.schemas.output import Output, Time, visible
from usher_operator.api.schemas.responses import MeetingResponse


class UserResponse(Output):
    """A user."""

    id: Annotated[int, Field(examples=[1])]
    """The user's id."""

    email: Annotated[str, Field(examples=["ada@example.org"])]
    """The user's address."""

    name: str | None
    """The user's name."""

    image_url: str | None
    """A picture of the user."""

    max_concurrent_bots: int
    """How many bots the user may have at a time."""

    data: dict[str, Any]
    """Free data of the operator, and the webhook's settings without its secret."""

    created_at: Time | None
    """When the user was created."""

    limit: int
    """The same as max_concurrent_bots."""

    used: int
    """How many slots are in use."""

    @classmethod
    def of(cls, user: User) -> "UserResponse":
        """The user of a row."""
        values = {name: getattr(user, name) for name in cls.model_fields if name not in ("data", "limit")}
        return cls(**values, data=visible(user.data), limit=user.max_concurrent_bots)


class TokenListed(Output):
    """A key without its secret."""

    id: int
    """The key's id."""

    user_id: int
    """The id of its user."""

    name: str | None
    """The key's name."""

    scopes: list[str]
    """What the key permits; empty: everything."""

    hashed: bool
    """False for a plaintext key of an older deployment."""

    created_at: Time | None
    """When the key was created."""

    expires_at: Time | None
    """When the key expires; null: never."""

    last_used_at: Time | None
    """When an older deployment saw the key last."""

    @classmethod
    def of(cls, token: Token) -> "TokenListed":
        """The token of a row."""
        return cls(**vars(token))


class TokenCreated(TokenListed):
    """A new key."""

    token: Annotated[str, Field(examples=["usher_…"])]
    """The key itself, which is returned only once."""


class UserDetail(UserResponse):
    """A user with the keys."""

    api_tokens: list[TokenListed] = Field(default_factory=list)
    """The user's keys, without secrets."""


class UserMeeting(MeetingResponse):
    """A meeting and its user."""

    user: UserResponse | None
    """The user; null if the user was deleted."""


class MeetingsUsers(Output):
    """One page of all users' meetings."""

    total: int
    """How many meetings there are."""

    items: list[UserMeeting]
    """The meetings, the newest first."""


class WebhookResponse(Output):
    """The webhook's settings, as the newest Vexa returns them."""

    webhook_url: str | None
    """Where events are sent; null: there is no webhook."""

    webhook_secret_set: bool
    """True if deliveries are signed."""

    webhook_secret: str | None
    """The last characters of the secret, behind asterisks."""

    webhook_events: list[str] | dict[str, bool] | None
    """The chosen events; null: the default."""

    paused: bool
    """True if deliveries are kept and not sent, because too many failed."""


class DeliveryResponse(Output):
    """One delivery."""

    id: int
    """The delivery's id."""

    event_id: str
    """The event's id, the same in each attempt."""

    event_type: Annotated[str, Field(examples=["meeting.completed"])]
    """The event's name."""

    meeting_id: int
    """The meeting's id."""

    state: Literal["pending", "delivered", "failed", "paused"]
    """The delivery's state."""

    attempts: int
    """How many attempts there were."""

    next_attempt_at: Time | None
    """When the next attempt is due."""

    last_status: int | None
    """The HTTP status of the last attempt."""

    last_error: str | None
    """Why the last attempt failed."""

    created_at: Time
    """When the event happened."""

    delivered_at: Time | None
    """When the receiver accepted it."""

    payload: dict[str, Any]
    """The body."""


class Deliveries(Output):
    """One page of the ledger."""

    deliveries: list[DeliveryResponse]
    """The deliveries, the newest first."""

    limit: int
    """The size of a page."""

    offset: int
    """How many newer deliveries were skipped."""

    has_more: bool
    """True if another page follows."""
