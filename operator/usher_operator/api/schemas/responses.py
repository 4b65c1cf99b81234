"""Answers as pydantic models, in the shapes of the newest Vexa. Every time is UTC, with its zone."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, PrivateAttr, SerializationInfo, field_serializer

from usher_models.db.api_tokens import Token
from usher_models.db.bots import Transition
from usher_models.db.meetings import Record, Session
from usher_models.db.users import User
from usher_models.errors import InvalidMeeting
from usher_models.platforms import resolve
from usher_models.states import LIVE
from usher_operator.api.vexa import legacy_statuses

# Never returned: secrets, also those in rows of an older deployment.
PRIVATE = frozenset({"webhook_secret", "passcode", "session_token", "bot_logs"})


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


Time = Annotated[datetime, AfterValidator(_utc)]


class Problem(BaseModel):
    """An error: a stable `code`, and a sentence or the list of invalid fields."""

    code: str
    detail: str | list[dict[str, Any]]


class LimitReached(Problem):
    """The user's limit is reached."""

    limit: int
    used: int


class Duplicate(Problem):
    """The user has a live bot in this meeting."""

    meeting_id: int | None = None


class MeetingResponse(BaseModel):
    """A meeting. `stage`, `reason` and `message` are Usher's own: detail below the status, and its reason."""

    id: int
    user_id: int
    platform: str
    native_meeting_id: str | None
    constructed_meeting_url: str | None
    status: str
    bot_container_id: str | None
    start_time: Time | None
    end_time: Time | None
    data: dict[str, Any]
    created_at: Time | None
    updated_at: Time | None
    completion_reason: str | None
    failure_stage: str | None
    stage: str | None
    reason: str | None
    message: str | None

    @field_serializer("status")
    def _displayed(self, status: str, info: SerializationInfo) -> str:
        return legacy_statuses.displayed(status, info, stage=self.stage)

    @classmethod
    def of(cls, record: Record) -> "MeetingResponse":
        """The meeting of a row."""
        return cls(
            **{name: getattr(record, name) for name in cls.model_fields if hasattr(record, name) and name != "data"},
            native_meeting_id=record.native_id,
            constructed_meeting_url=_url(record),
            data=visible(record.data),
            completion_reason=_completion_reason(record),
            failure_stage=_failure_stage(record),
        )


def visible(data: dict[str, Any]) -> dict[str, Any]:
    """The data without secrets."""
    return {key: value for key, value in data.items() if key not in PRIVATE}


def _url(record: Record) -> str | None:
    stored = record.url or record.data.get("constructed_meeting_url") or record.data.get("meeting_url")
    if stored or not record.native_id:
        return str(stored) if stored else None
    try:
        return resolve(platform=record.platform, native_id=record.native_id).url
    except InvalidMeeting:
        return None


def _completion_reason(record: Record) -> str | None:
    reason = record.reason if record.owned and record.ended else record.data.get("completion_reason")
    return str(reason) if reason else None


def _failure_stage(record: Record) -> str | None:
    stage = record.last_status or record.data.get("failure_stage")
    return str(stage) if stage and record.status == "failed" else None


class MeetingsResponse(BaseModel):
    """One page of meetings; `has_more` says whether another follows."""

    meetings: list[MeetingResponse]
    limit: int
    offset: int
    has_more: bool


class BotStatus(BaseModel):
    """One bot that holds a slot."""

    container_id: str | None
    container_name: str | None
    platform: str
    native_meeting_id: str | None
    status: str
    normalized_status: str
    created_at: Time | None
    start_time: Time | None
    labels: dict[str, str]
    meeting_id: int
    meeting_id_from_name: str
    meeting_status: str
    data: dict[str, Any]
    _stage: str | None = PrivateAttr(default=None)

    @field_serializer("status", "normalized_status", "meeting_status")
    def _displayed(self, status: str, info: SerializationInfo) -> str:
        return legacy_statuses.displayed(status, info, stage=self._stage)

    @classmethod
    def of(cls, record: Record) -> "BotStatus":
        """The bot of a meeting."""
        bot = cls(
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


class BotsStatus(BaseModel):
    """Every bot of the user that holds a slot; `running` is the same list under its other name."""

    running_bots: list[BotStatus]
    running: list[BotStatus]
    count: int


class Stopping(BaseModel):
    """A bot that has to leave: `stopping`, or the final status of its meeting."""

    status: str
    message: str
    meeting_id: int
    native_meeting_id: str | None
    also_stopped: list[int] = []
    cancelled: list[int] = []


class Message(BaseModel):
    """A sentence about a meeting."""

    message: str
    meeting_id: int


class TransitionResponse(BaseModel):
    """One change of a meeting's status, with its source and reason."""

    seq: int
    from_status: str | None
    to_status: str
    source: str
    reason: str | None
    detail: dict[str, Any]
    at: Time | None

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
            detail=line.detail,
            at=line.at,
        )


class Transitions(BaseModel):
    """A meeting's audit trail, oldest first."""

    meeting_id: int
    transitions: list[TransitionResponse]


class SessionResponse(BaseModel):
    """One session of a meeting."""

    id: int
    session_uid: str
    session_start_time: Time | None

    @classmethod
    def of(cls, session: Session) -> "SessionResponse":
        """One row."""
        return cls(id=session.id, session_uid=session.session_uid, session_start_time=session.session_start_time)


class Sessions(BaseModel):
    """The sessions of a meeting, oldest first."""

    meeting_id: int
    sessions: list[SessionResponse]


class UserResponse(BaseModel):
    """A user, the limit, and how many slots are in use."""

    id: int
    email: str
    name: str | None
    image_url: str | None
    max_concurrent_bots: int
    data: dict[str, Any]
    created_at: Time | None
    limit: int
    used: int

    @classmethod
    def of(cls, user: User) -> "UserResponse":
        """The user of a row."""
        values = {name: getattr(user, name) for name in cls.model_fields if name not in ("data", "limit")}
        return cls(**values, data=visible(user.data), limit=user.max_concurrent_bots)


class TokenListed(BaseModel):
    """A token without its secret; `hashed` is false for a plaintext token of an older deployment."""

    id: int
    user_id: int
    name: str | None
    scopes: list[str]
    hashed: bool
    created_at: Time | None
    expires_at: Time | None
    last_used_at: Time | None

    @classmethod
    def of(cls, token: Token) -> "TokenListed":
        """The token of a row."""
        return cls(**vars(token))


class TokenCreated(TokenListed):
    """A new token. Its secret is returned only once."""

    token: str


class UserDetail(UserResponse):
    """A user with the tokens, without secrets."""

    api_tokens: list[TokenListed] = Field(default_factory=list)


class UserMeeting(MeetingResponse):
    """A meeting and its user."""

    user: UserResponse | None


class MeetingsUsers(BaseModel):
    """One page of all users' meetings, the newest first."""

    total: int
    items: list[UserMeeting]
