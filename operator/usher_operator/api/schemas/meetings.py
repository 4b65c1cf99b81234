"""Inputs of /meetings, and the filters that /bots shares with it."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from usher_models.db.meetings import PLANNED
from usher_models.platforms import Platform
from usher_models.states import HOLDS_SLOT, TERMINAL
from usher_operator.api.schemas.fields import INT_MAX, STORABLE, Id, Input, Text

# Usher's own statuses, and those of rows of an older deployment.
STATUSES = tuple(sorted({*HOLDS_SLOT, *map(str, TERMINAL), *PLANNED}))


class MeetingData(Input):
    """The owner's notes about a meeting; an omitted or null field is kept."""

    name: Annotated[str, Field(max_length=1000, pattern=STORABLE)] | None = None
    """The meeting's name."""

    participants: Annotated[list[Text], Field(max_length=1000)] | None = None
    """Names of participants."""

    languages: Annotated[list[Text], Field(max_length=100)] | None = None
    """Languages that were spoken."""

    notes: Annotated[str, Field(max_length=50_000, pattern=STORABLE)] | None = None
    """Free text."""


class MeetingPatch(Input):
    """New notes about a meeting; at least one."""

    data: Annotated[MeetingData, Field(examples=[{"name": "Standup"}])]
    """The notes to change."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.data.model_dump(exclude_none=True):
            raise ValueError("No data provided for update.")
        return self


class IdPath(Input):
    """An id."""

    id: Annotated[Id, Field(examples=[17])]
    """The object's id."""


class MeetingsQuery(Input):
    """A filter on meetings, the newest first."""

    limit: Annotated[int, Field(ge=1, le=100)] = 50
    """The size of a page."""

    offset: Annotated[int, Field(ge=0, le=INT_MAX)] = 0
    """How many of the newest meetings to skip."""

    status: Literal[STATUSES] | None = None  # type: ignore[valid-type]
    """Only meetings with this status."""

    platform: Platform | None = None
    """Only meetings on this platform."""

    native_meeting_id: Text | None = None
    """Only meetings with this id on their platform."""

    search: Text | None = None
    """Only meetings whose id or name contains this text."""

    exclude_planned: bool = False
    """Without meetings that an older deployment has planned."""


class BotsQuery(MeetingsQuery):
    """A filter on bots, the newest first."""

    include: Literal["data"] | None = None
    """`data` adds each meeting's data."""


class StatusQuery(Input):
    """A filter on running bots."""

    platform: Platform | None = None
    """Only bots on this platform."""
