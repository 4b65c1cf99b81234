"""What every answer shares: described fields, times with their zone, no secrets, and the shape of an error."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from usher_models.platforms.secrets import without_secrets

# Never returned: secrets, also those in rows of an older deployment.
PRIVATE = frozenset({"webhook_secret", "passcode", "session_token", "bot_logs"})
LINKS = frozenset({"meeting_url", "constructed_meeting_url"})


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


Time = Annotated[datetime, AfterValidator(_utc)]


class Output(BaseModel):
    """A part of an answer. Docstrings of fields become descriptions in the OpenAPI document."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class FieldProblem(Output):
    """An invalid field of a request."""

    loc: list[str | int]
    """The field's place, such as `["body", "platform"]`."""

    msg: str
    """What is wrong with it."""

    type: str
    """The kind of the error, for programs."""


class Problem(Output):
    """An error."""

    code: Annotated[str, Field(examples=["not_found"])]
    """A stable word for programs."""

    detail: Annotated[str, Field(examples=["You have no meeting 17."])]
    """A sentence for people."""


class InvalidRequest(Problem):
    """A request with invalid fields."""

    errors: list[FieldProblem] = Field(default_factory=list)
    """The invalid fields."""


class LimitReached(Problem):
    """The user's limit is reached."""

    limit: int
    """How many bots the user may have at a time."""

    used: int
    """How many slots are in use."""


class Duplicate(Problem):
    """The user has a live bot in this meeting."""

    meeting_id: int | None = None
    """The id of that meeting."""


def visible(data: dict[str, Any]) -> dict[str, Any]:
    """The data without secrets."""
    return {
        key: without_secrets(value) if key in LINKS and isinstance(value, str) else value
        for key, value in data.items()
        if key not in PRIVATE
    }
