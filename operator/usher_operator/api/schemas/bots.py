"""Inputs of /bots: those of every Vexa version.

A field that Usher does not support is ignored with a warning, unless ignoring it would produce a wrong bot.
"""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, AwareDatetime, ConfigDict, Field, NaiveDatetime, model_validator

from usher_models.platforms import URL_MAX_LENGTH, Platform
from usher_operator.api.schemas.fields import PRINTABLE, STORABLE, Input, Language, Line, Task, Text

Leave = Annotated[int, Field(ge=0, le=86_400_000)]
Budget = Annotated[int, Field(ge=10_000, le=7_200_000)]


class AutomaticLeave(Input):
    """When a bot leaves by itself; milliseconds, as in Vexa. Unknown names are rejected, not ignored."""

    model_config = ConfigDict(extra="forbid")

    max_bot_time: Annotated[int, Field(ge=60_000, le=86_400_000)] | None = None
    """The bot leaves this long after its start."""

    max_wait_for_admission: Annotated[
        Budget | None, Field(validation_alias=AliasChoices("max_wait_for_admission", "waiting_room_timeout"))
    ] = None
    """The bot gives up if it is not admitted for this long."""

    max_time_left_alone: Annotated[
        Leave | None, Field(validation_alias=AliasChoices("max_time_left_alone", "everyone_left_timeout"))
    ] = None
    """The bot leaves after it was alone for this long."""

    no_one_joined_timeout: Leave | None = None
    """The bot leaves if it is still alone this long after it joined."""


class BotCreate(Input):
    """A meeting, by `platform` and `native_meeting_id` or by `meeting_url`, and the bot's settings."""

    platform: Annotated[Platform | None, Field(examples=["google_meet"])] = None
    """The meeting's platform; may be omitted with `meeting_url`."""

    native_meeting_id: Annotated[Text | None, Field(examples=["abc-defg-hij"])] = None
    """The meeting's id on its platform."""

    meeting_url: Annotated[
        Annotated[str, Field(max_length=URL_MAX_LENGTH, pattern=STORABLE)] | None,
        Field(examples=["https://meet.google.com/abc-defg-hij"]),
    ] = None
    """The meeting's link, as a person would open it."""

    teams_base_host: Annotated[Line | None, Field(examples=["teams.microsoft.com"])] = None
    """The Teams host of a meeting that is given by its id and passcode."""

    passcode: Line | None = None
    """The meeting's passcode, if it is not part of the link."""

    bot_name: Annotated[Annotated[str, Field(max_length=100, pattern=PRINTABLE)] | None, Field(examples=["Notes"])] = (
        None
    )
    """The bot's name in the meeting."""

    language: Annotated[Language | None, Field(examples=["en"])] = None
    """The language of the meeting; omitted or `auto`: the bot detects it."""

    task: Annotated[Task | None, Field(examples=["transcribe"])] = None
    """What the bot does with speech, such as `transcribe` or `translate`."""

    automatic_leave: AutomaticLeave | None = None
    """When the bot leaves by itself."""

    join_at: AwareDatetime | NaiveDatetime | None = None
    """Usher sends bots at once: a time in the future is rejected."""

    scheduled_at: AwareDatetime | NaiveDatetime | None = None
    """The same, as Vexa's planned meetings name it."""

    dry_run: Literal[False] | None = None
    """Usher has no dry run: true is rejected."""

    authenticated: Literal[False] | None = None
    """Usher's bots join as guests: true is rejected."""

    mode: Literal["meeting"] | None = None
    """Usher's bots join meetings; other modes of Vexa are rejected."""

    @property
    def wanted_at(self) -> datetime | None:
        """When the bot should join."""
        return self.join_at or self.scheduled_at


class BotConfig(Input):
    """A running bot's new settings; at least one field."""

    language: Annotated[Language | None, Field(examples=["es"])] = None
    """The language of the meeting; `auto`: the bot detects it."""

    task: Annotated[Task | None, Field(examples=["translate"])] = None
    """What the bot does with speech."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.language is None and self.task is None:
            raise ValueError("must contain language or task")
        return self


class CreateHeaders(Input):
    """Headers of `POST /bots`."""

    idempotency_key: Annotated[
        Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[!-~]+$")] | None, Field(examples=["order-17"])
    ] = None
    """A repeated request with the same key returns the same meeting."""


class BotPath(Input):
    """A meeting by its platform and the id there."""

    platform: Annotated[Platform, Field(examples=["google_meet"])]
    """The meeting's platform."""

    native_meeting_id: Annotated[Text, Field(examples=["abc-defg-hij"])]
    """The meeting's id on its platform."""
