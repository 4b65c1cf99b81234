"""Answers about bots as pydantic models."""

from typing import Annotated, Any

from pydantic import Field, PrivateAttr, SerializationInfo, field_serializer

from usher_models.db.meetings import Record
from usher_models.states import LIVE
from usher_operator.api.schemas.output import Output, Time, visible
from usher_operator.api.vexa import legacy_statuses


class BotStatus(Output):
    """One bot that holds a slot."""

    id: int
    """The meeting's id."""

    container_id: str | None
    """The name of the bot's Job."""

    container_name: str | None
    """The same."""

    platform: str
    """The platform."""

    native_meeting_id: str | None
    """The id on the platform."""

    status: str
    """The meeting's status."""

    normalized_status: str
    """The same; `starting` for the statuses of an older deployment."""

    created_at: Time | None
    """When the bot was requested."""

    start_time: Time | None
    """When the bot started."""

    labels: dict[str, str]
    """Always empty."""

    meeting_id: int
    """The meeting's id."""

    meeting_id_from_name: str
    """The meeting's id as text."""

    meeting_status: str
    """The meeting's status."""

    data: dict[str, Any]
    """The owner's notes."""

    _stage: str | None = PrivateAttr(default=None)

    @field_serializer("status", "meeting_status")
    def _displayed(self, status: str, info: SerializationInfo) -> str:
        return legacy_statuses.displayed(status, info, stage=self._stage)

    @field_serializer("normalized_status")
    def _normalized(self, status: str, info: SerializationInfo) -> str:
        return legacy_statuses.normalized(status, info, stage=self._stage)

    @classmethod
    def of(cls, record: Record) -> "BotStatus":
        """The bot of a meeting."""
        bot = cls(
            id=record.id,
            container_id=record.bot_container_id,
            container_name=record.bot_container_id,
            platform=record.platform,
            native_meeting_id=record.native_id,
            status=record.status,
            normalized_status=record.status if record.status in LIVE else "starting",
            created_at=record.created_at,
            start_time=record.start_time,
            labels={},
            meeting_id=record.id,
            meeting_id_from_name=str(record.id),
            meeting_status=record.status,
            data=visible(record.data),
        )
        bot._stage = record.stage
        return bot


class BotsStatus(Output):
    """Every bot of the user that holds a slot."""

    running_bots: list[BotStatus]
    """The bots, the newest first."""

    running: list[BotStatus]
    """The same list, as the newest Vexa names it."""

    count: int
    """Its length."""


class Stopping(Output):
    """A bot that has to leave."""

    status: Annotated[str, Field(examples=["stopping"])]
    """`stopping`, or the final status of the meeting."""

    message: str
    """A sentence for people."""

    meeting_id: int
    """The meeting's id."""

    native_meeting_id: str | None
    """The id on the platform."""

    also_stopped: list[int] = Field(default_factory=list)
    """Always empty; the newest Vexa has it."""

    cancelled: list[int] = Field(default_factory=list)
    """Always empty; the newest Vexa has it."""
