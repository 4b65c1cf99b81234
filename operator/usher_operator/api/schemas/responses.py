"""Answers about meetings as pydantic models, in the shapes of the newest Vexa."""

from typing import Annotated, Any

from pydantic import Field, PrivateAttr, SerializationInfo, field_serializer

from usher_models.db.bots import Transition
from usher_models.db.meetings import Record, Session
from usher_models.errors import InvalidMeeting
from usher_models.platforms import resolve
from usher_models.platforms.secrets import without_secrets
from usher_operator.api.schemas.output import Output, Time, visible
from usher_operator.api.vexa import legacy_statuses
from usher_operator.api.vexa.legacy_reasons import word_of


class MeetingResponse(Output):
    """A meeting."""

    id: Annotated[int, Field(examples=[17])]
    """The meeting's id."""

    user_id: int
    """The id of its user."""

    platform: Annotated[str, Field(examples=["google_meet"])]
    """The platform."""

    native_meeting_id: Annotated[str | None, Field(examples=["abc-defg-hij"])]
    """The id on the platform; null after the meeting's data was deleted."""

    constructed_meeting_url: str | None
    """The meeting's link, without its passcode."""

    status: Annotated[str, Field(examples=["active"])]
    """`reserved`, `starting`, `active`, `stopping`, `completed` or `failed`; older rows have others."""

    bot_container_id: str | None
    """The name of the bot's Job."""

    start_time: Time | None
    """When the bot started."""

    end_time: Time | None
    """When the meeting ended."""

    data: dict[str, Any]
    """The owner's notes, and what an older deployment stored."""

    created_at: Time | None
    """When the bot was requested."""

    updated_at: Time | None
    """When the row changed last."""

    completion_reason: Annotated[str | None, Field(examples=["left"])]
    """Why the meeting ended."""

    failure_stage: Annotated[str | None, Field(examples=["starting"])]
    """The last status before `failed`."""

    stage: Annotated[str | None, Field(examples=["in_meeting"])]
    """Usher's own: detail below the status, such as `lobby`."""

    reason: Annotated[str | None, Field(examples=["joined"])]
    """Usher's own: why the status is what it is."""

    message: Annotated[str | None, Field(examples=["The bot is in the meeting."])]
    """Usher's own: the reason as a sentence."""

    fault: Annotated[str | None, Field(examples=["host"])]
    """Usher's own: whose doing the end was: `none`, `user`, `host`, `platform`, `infrastructure`, `usher` or `bot`."""

    _owned: bool = PrivateAttr(default=True)

    @field_serializer("status")
    def _displayed(self, status: str, info: SerializationInfo) -> str:
        return legacy_statuses.displayed(status, info, stage=self.stage)

    @field_serializer("failure_stage")
    def _stage_word(self, reached: str | None, info: SerializationInfo) -> str | None:
        return legacy_statuses.failure_stage(reached, stage=self.stage) if legacy_statuses.enabled(info) else reached

    @field_serializer("completion_reason")
    def _reason_word(self, reason: str | None, info: SerializationInfo) -> str | None:
        if reason is None or not legacy_statuses.enabled(info):
            return reason
        return word_of(reason, owned=self._owned, status=self.status, reached=self.failure_stage)

    @field_serializer("data")
    def _with_words(self, data: dict[str, Any], info: SerializationInfo) -> dict[str, Any]:
        """Vexa keeps both words in `data`, and its dashboard reads them there."""
        words = {
            "completion_reason": self._reason_word(self.completion_reason, info),
            "failure_stage": self._stage_word(self.failure_stage, info),
        }
        added = {name: word for name, word in words.items() if word} if legacy_statuses.enabled(info) else {}
        return added | data

    @classmethod
    def of(cls, record: Record) -> "MeetingResponse":
        """The meeting of a row."""
        meeting = cls(
            **{name: getattr(record, name) for name in cls.model_fields if hasattr(record, name) and name != "data"},
            native_meeting_id=record.native_id,
            constructed_meeting_url=_url(record),
            data=visible(record.data),
            completion_reason=_completion_reason(record),
            failure_stage=_failure_stage(record),
        )
        meeting._owned = record.owned
        return meeting


def _url(record: Record) -> str | None:
    stored = record.url or record.data.get("constructed_meeting_url") or record.data.get("meeting_url")
    if stored or not record.native_id:
        return without_secrets(str(stored)) if stored else None
    try:
        url = resolve(platform=record.platform, native_id=record.native_id).url
    except InvalidMeeting:
        return None
    return without_secrets(url) if url else None


def _completion_reason(record: Record) -> str | None:
    reason = record.reason if record.owned and record.ended else record.data.get("completion_reason")
    return str(reason) if reason else None


def _failure_stage(record: Record) -> str | None:
    stage = record.last_status or record.data.get("failure_stage")
    return str(stage) if stage and record.status == "failed" else None


class MeetingsResponse(Output):
    """One page of meetings."""

    meetings: list[MeetingResponse]
    """The meetings, the newest first."""

    limit: int
    """The size of a page."""

    offset: int
    """How many newer meetings were skipped."""

    has_more: bool
    """True if another page follows."""


class Message(Output):
    """A sentence about a meeting."""

    message: str
    """A sentence for people."""

    meeting_id: int
    """The meeting's id."""


class TransitionResponse(Output):
    """One change of a meeting's status."""

    seq: int
    """Its number within the meeting."""

    from_status: str | None
    """The status before; null for the first one."""

    to_status: str
    """The status after."""

    source: Annotated[str, Field(examples=["bot"])]
    """Who changed it: `api`, `operator`, `bot`, `reconciler`, `evidence` and others."""

    reason: str | None
    """Why, as a word."""

    fault: str | None
    """Whose doing it was, of an end."""

    detail: dict[str, Any]
    """Evidence, such as the pod's exit code."""

    at: Time | None
    """When."""

    @field_serializer("from_status", "to_status")
    def _displayed(self, status: str | None, info: SerializationInfo) -> str | None:
        return legacy_statuses.displayed(status, info) if status is not None else None

    @classmethod
    def of(cls, line: Transition) -> "TransitionResponse":
        """One row of the audit trail."""
        return cls(
            seq=line.seq,
            from_status=line.origin,
            to_status=line.target,
            source=line.source,
            reason=line.reason,
            fault=line.fault,
            detail=line.detail,
            at=line.at,
        )


class Transitions(Output):
    """A meeting's audit trail."""

    meeting_id: int
    """The meeting's id."""

    transitions: list[TransitionResponse]
    """The changes, the oldest first."""


class SessionResponse(Output):
    """One session of a meeting."""

    id: int
    """The session's id."""

    session_uid: str
    """The connection id of the session's bot."""

    session_start_time: Time | None
    """When it began."""

    @classmethod
    def of(cls, session: Session) -> "SessionResponse":
        """One row."""
        return cls(id=session.id, session_uid=session.session_uid, session_start_time=session.session_start_time)


class Sessions(Output):
    """The sessions of a meeting."""

    meeting_id: int
    """The meeting's id."""

    sessions: list[SessionResponse]
    """The sessions, the oldest first."""
