"""Inputs of /user and /admin: users, keys and webhooks."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, WithJsonSchema

from usher_models.db.webhook_outbox import EVENT_NAMES
from usher_operator.api.schemas.fields import EMAIL, INT_MAX, PRINTABLE, STORABLE, Data, Input, Limit, Name, Text, Url

# Events of Vexa's own parts, which its clients offer and Usher never sends.
FOREIGN_EVENTS = frozenset({"recording.completed", "transcription.completed"})

Email = Annotated[str, Field(max_length=255, pattern=EMAIL)]
ImageUrl = Annotated[str, Field(max_length=2048, pattern=STORABLE)]
Scope = Literal["bot", "tx", "browser"]
Scopes = Annotated[list[Scope], Field(min_length=1, max_length=3)]
ExpiresIn = Annotated[int, Field(ge=1, le=INT_MAX)]


def _comma_separated(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _none_for_empty(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _known_events(value: JsonValue) -> JsonValue:
    """A list of event names, or a map from them to true or false."""
    if value is None:
        return None
    names = list(value) if isinstance(value, list | dict) else [value]
    flags = list(value.values()) if isinstance(value, dict) else []
    if not isinstance(value, list | dict) or set(map(type, names)) - {str} or set(map(type, flags)) - {bool}:
        raise ValueError("must be a list of event names, or an object from event names to true or false")
    known = {*EVENT_NAMES, *FOREIGN_EVENTS}
    unknown = [str(name) for name in names if name not in known]
    if unknown:
        raise ValueError(f"has no event {', '.join(unknown[:3])}; there are {', '.join(EVENT_NAMES)}")
    return value


_EVENTS_SCHEMA = {
    "anyOf": [
        {"type": "array", "items": {"enum": [*EVENT_NAMES, *sorted(FOREIGN_EVENTS)]}},
        {
            "type": "object",
            "propertyNames": {"enum": [*EVENT_NAMES, *sorted(FOREIGN_EVENTS)]},
            "additionalProperties": {"type": "boolean"},
        },
        {"type": "null"},
    ],
    "examples": [["meeting.started", "meeting.completed"], {"bot.failed": True}],
}
Events = Annotated[JsonValue, AfterValidator(_known_events), WithJsonSchema(_EVENTS_SCHEMA)]


class WebhookPut(Input):
    """The webhook. An omitted secret or event list is kept, a null one removed; the secret is also removed when the
    webhook moves to another host without a new one."""

    webhook_url: Annotated[Url | None, Field(examples=["https://example.org/hook"])]
    """Where events are sent; null removes the webhook."""

    webhook_secret: Annotated[
        Annotated[str, Field(min_length=8, max_length=255, pattern=PRINTABLE)] | None, BeforeValidator(_none_for_empty)
    ] = None
    """The secret that signs deliveries."""

    webhook_events: Events = None
    """The events that are sent."""


class UserCreate(Input):
    """A new user; an existing one is returned unchanged."""

    email: Annotated[Email, Field(examples=["ada@example.org"])]
    """The user's address, which is unique."""

    name: Name | None = None
    """The user's name."""

    image_url: ImageUrl | None = None
    """A picture of the user."""

    max_concurrent_bots: Annotated[Limit | None, Field(examples=[3])] = None
    """How many bots the user may have at a time; 0: none. Omitted: 3."""

    data: Data | None = None
    """Free data of the operator."""


class UserPatch(Input):
    """The fields to change; null removes a name or an image."""

    name: Name | None = None
    """The user's name."""

    image_url: ImageUrl | None = None
    """A picture of the user."""

    max_concurrent_bots: Annotated[Limit | None, Field(examples=[5])] = None
    """How many bots the user may have at a time; 0: none. Lowering it stops no running bot."""

    data: Data | None = None
    """Merged key by key; null removes a key."""


class TokenCreate(Input):
    """A new key."""

    name: Annotated[Text | None, Field(examples=["ci"])] = None
    """A name, to recognise the key in lists."""

    scopes: Annotated[Scopes | None, Field(examples=[["bot"]])] = None
    """What the key permits: `bot` bots, `tx` meetings. Omitted: everything."""

    expires_in: Annotated[ExpiresIn | None, Field(examples=[86_400])] = None
    """Seconds until the key expires. Omitted: it does not expire."""


class TokenQuery(Input):
    """The same as query parameters, as Vexa's scripts send them; the body takes precedence."""

    name: Text | None = None
    """A name, to recognise the key in lists."""

    scope: Scope | None = None
    """The one scope of the key."""

    scopes: Annotated[Scopes | None, BeforeValidator(_comma_separated)] = None
    """The scopes of the key, separated by commas."""

    expires_in: ExpiresIn | None = None
    """Seconds until the key expires."""


class EmailPath(Input):
    """A user's email."""

    email: Annotated[Text, Field(examples=["ada@example.org"])]
    """The user's address."""


class Page(Input):
    """One page of a list."""

    skip: Annotated[int, Field(ge=0, le=INT_MAX)] = 0
    """How many entries to skip."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    """The size of a page."""


class DeliveriesQuery(Input):
    """A page of deliveries, the newest first."""

    limit: Annotated[int, Field(ge=1, le=500)] = 50
    """The size of a page."""

    offset: Annotated[int, Field(ge=0, le=INT_MAX)] = 0
    """How many of the newest deliveries to skip."""


class DeliveryPath(Input):
    """A delivery's id."""

    id: Annotated[int, Field(ge=1, le=2**63 - 1, examples=[17])]
    """The delivery's id."""
