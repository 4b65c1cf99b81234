"""Inputs as pydantic models: those of every Vexa version, bounded by what can be stored and run.

Fields that Usher does not use are accepted and ignored, unless ignoring them would produce a wrong bot.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from usher_models.platforms import URL_MAX_LENGTH, Platform

INT_MAX = 2**31 - 1
LANGUAGE = r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$"
TASK = r"^[a-z][a-z_]{0,31}$"
PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
# Postgres stores any character except NUL.
STORABLE = r"^[^\x00]*$"


def _storable(value: dict[str, Any]) -> dict[str, Any]:
    """The value, unless it contains something that JSON can express and Postgres cannot store."""
    for part in _leaves(value):
        if isinstance(part, str) and "\0" in part:
            raise ValueError("a NUL character cannot be stored")
        if isinstance(part, float) and part - part != 0:
            raise ValueError("only finite numbers can be stored")
    return value


def _leaves(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for key, part in value.items() for leaf in (key, *_leaves(part))]
    if isinstance(value, list):
        return [leaf for part in value for leaf in _leaves(part)]
    return [value]


Id = Annotated[int, Field(ge=1, le=INT_MAX)]
Milliseconds = Annotated[int, Field(ge=0, le=INT_MAX)]
Text = Annotated[str, Field(max_length=255, pattern=STORABLE)]
Line = Annotated[str, Field(max_length=255, pattern=PRINTABLE)]
Language = Annotated[str, Field(max_length=35, pattern=LANGUAGE)]
Task = Annotated[str, Field(pattern=TASK)]
Data = Annotated[dict[str, JsonValue], AfterValidator(_storable)]
Url = Annotated[str, Field(max_length=2048, pattern=r"^https?://[^\x00-\x20\x7f]+$")]


class Input(BaseModel):
    """A part of a request."""

    model_config = ConfigDict(extra="ignore")


class AutomaticLeave(BaseModel):
    """When a bot leaves by itself; milliseconds, as in Vexa. Unknown names are refused, not ignored."""

    model_config = ConfigDict(extra="forbid")

    max_bot_time: Annotated[int, Field(ge=60_000, le=86_400_000)] | None = None
    """The bot leaves this long after its start."""

    max_wait_for_admission: Annotated[int, Field(ge=10_000, le=7_200_000)] | None = None
    """The bot gives up if it is not admitted for this long."""

    max_time_left_alone: Milliseconds | None = None
    """Accepted; the bot's driver decides."""

    no_one_joined_timeout: Milliseconds | None = None
    """Accepted; the bot's driver decides."""


class BotCreate(Input):
    """A meeting, by `platform` and `native_meeting_id` or by `meeting_url`, and the bot's settings."""

    platform: Platform | None = None
    native_meeting_id: Line | None = None
    meeting_url: Annotated[str, Field(max_length=URL_MAX_LENGTH, pattern=PRINTABLE)] | None = None
    passcode: Line | None = None
    bot_name: Annotated[str, Field(max_length=100, pattern=PRINTABLE)] | None = None
    language: Language | None = None
    task: Task | None = None
    automatic_leave: AutomaticLeave | None = None
    dry_run: Literal[False] | None = None


class BotConfig(Input):
    """A running bot's new settings; at least one field."""

    language: Language | None = None
    task: Task | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.language is None and self.task is None:
            raise ValueError("give language or task")
        return self


class MeetingData(Input):
    """The owner's notes about a meeting; an omitted or null field is kept."""

    name: Annotated[str, Field(max_length=1000, pattern=STORABLE)] | None = None
    participants: Annotated[list[Text], Field(max_length=1000)] | None = None
    languages: Annotated[list[Text], Field(max_length=100)] | None = None
    notes: Annotated[str, Field(max_length=50_000, pattern=STORABLE)] | None = None


class MeetingPatch(Input):
    """New notes about a meeting; at least one."""

    data: MeetingData

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.data.model_dump(exclude_none=True):
            raise ValueError("No data provided for update.")
        return self


class WebhookPut(Input):
    """The webhook. A null `webhook_url` removes it; an omitted secret or event list is kept."""

    webhook_url: Url | None
    webhook_secret: Annotated[str, Field(min_length=8, max_length=255, pattern=PRINTABLE)] | None = None
    webhook_events: (
        Annotated[list[Line], Field(max_length=20)] | Annotated[dict[Line, bool], Field(max_length=20)] | None
    ) = None


class UserCreate(Input):
    """A new user; an existing one is returned unchanged."""

    email: Annotated[str, Field(max_length=255, pattern=r"^[^@\x00-\x20\x7f]+@[^@\x00-\x20\x7f]+$")]
    name: Annotated[str, Field(max_length=100, pattern=STORABLE)] | None = None
    image_url: Annotated[str, Field(max_length=2048, pattern=STORABLE)] | None = None
    max_concurrent_bots: Annotated[int, Field(ge=0, le=INT_MAX)] | None = None
    data: Data | None = None


class UserPatch(Input):
    """The fields to change; `data` is merged key by key, and null removes a key."""

    name: Annotated[str, Field(max_length=100, pattern=STORABLE)] | None = None
    image_url: Annotated[str, Field(max_length=2048, pattern=STORABLE)] | None = None
    max_concurrent_bots: Annotated[int, Field(ge=0, le=INT_MAX)] | None = None
    data: Data | None = None


class TokenCreate(Input):
    """A new token. Without scopes it permits everything; without `expires_in` (seconds) it does not expire."""

    name: Text | None = None
    scopes: Annotated[list[Literal["bot", "tx", "browser"]], Field(max_length=3)] | None = None
    expires_in: Annotated[int, Field(ge=1, le=INT_MAX)] | None = None


class BotPath(Input):
    """A meeting by its platform and the id there."""

    platform: Platform
    native_meeting_id: Text


class IdPath(Input):
    """An id."""

    id: Id


class EmailPath(Input):
    """A user's email."""

    email: Text


class Page(Input):
    """One page of a list."""

    skip: Annotated[int, Field(ge=0, le=INT_MAX)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class MeetingsQuery(Input):
    """A filter on meetings, the newest first."""

    limit: Annotated[int, Field(ge=1, le=100)] = 50
    offset: Annotated[int, Field(ge=0, le=INT_MAX)] = 0
    status: Annotated[str, Field(max_length=50, pattern=STORABLE)] | None = None
    platform: Platform | None = None
    native_meeting_id: Text | None = None
    search: Text | None = None
    exclude_planned: bool = False


class BotsQuery(MeetingsQuery):
    """A filter on bots, the newest first; `include=data` adds each meeting's data."""

    include: Literal["data"] | None = None
