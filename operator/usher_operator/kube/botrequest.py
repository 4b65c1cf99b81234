"""A BotRequest as Usher understands it: parsed at the boundary, refused with a reason and a sentence.

The schema in the cluster checks most of this already; nothing here relies on it, because the object may come from an
older schema or from the REST API.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from usher_models import defaults
from usher_models.errors import Refused
from usher_models.states import TERMINAL
from usher_models.wire import ConnectionId, short_command

Json = dict[str, Any]

# What fits into a column of the database.
Id = Annotated[int, Field(ge=1, lt=2**31)]
Seconds = Annotated[int, Field(ge=1, lt=2**31)]


class InvalidRequest(Refused):
    """The BotRequest's spec is not valid."""

    code = "invalid_request"


class ImageNotAllowed(Refused):
    """The image is not one that this installation allows."""

    code = "image_not_allowed"


class NotAllowed(Refused):
    """The BotRequest asks for something that this installation does not allow."""

    code = "not_allowed"


class _Spec(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")


class SimulationSpec(_Spec):
    """The script of a simulated meeting. Durations are seconds."""

    boot_seconds: float = 1
    lobby_seconds: float = 2
    meeting_seconds: float = 3600
    leave_seconds: float = 1
    behaviour: str = "Normal"
    after_seconds: float = 0
    exit_code: int = 1
    participants: int = 3

    @property
    def behaviour_name(self) -> str:
        """The behaviour as the bot spells it; OutOfMemory is `oom` there."""
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", self.behaviour).lower()
        return {"out_of_memory": "oom"}.get(name, name)


def _no_meeting(connection_id: str) -> str:
    # bot_commands:meeting:42 is the command channel of another bot.
    if connection_id.startswith("meeting:"):
        raise ValueError("Must not begin with meeting:, which names the channels of meetings.")
    return connection_id


LeaveSeconds = Annotated[int, Field(ge=0, le=86_400)]


class BotRequestSpec(_Spec):
    """spec of a BotRequest; `crds/botrequests.yaml` describes each field."""

    user_id: Id | None = None
    user_email: str | None = None
    platform: str | None = None
    native_meeting_id: str | None = None
    meeting_url: str | None = None
    passcode: str | None = None
    bot_name: str = defaults.BOT_NAME
    language: str | None = None
    task: str | None = None
    desired_state: Literal["Running", "Left"] = "Running"
    connection_id: Annotated[ConnectionId, AfterValidator(_no_meeting)] | None = None
    lobby_timeout_seconds: Seconds = defaults.LOBBY_TIMEOUT_S
    max_duration_seconds: Seconds = defaults.MAX_DURATION_S
    no_one_joined_timeout_seconds: LeaveSeconds | None = None
    left_alone_timeout_seconds: LeaveSeconds | None = None
    ttl_seconds_after_finished: int = Field(default=defaults.TTL_AFTER_FINISHED_S, ge=0, lt=2**31)
    request_ttl_seconds_after_finished: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    driver: Literal["browser", "exec", "simulated"] | None = None
    image: str | None = None
    command: Annotated[list[str], AfterValidator(short_command)] = []
    simulation: SimulationSpec | None = None
    resources: Json | None = None
    node_selector: dict[str, str] = {}
    tolerations: list[Json] = []
    priority_class_name: str | None = None
    image_pull_secrets: list[Json] = []

    @property
    def mutable_config(self) -> Json:
        """The part that can change while the bot runs."""
        return {"language": self.language, "task": self.task}

    def as_given(self) -> Json:
        """The spec as JSON of a BotRequest, without the fields that were not given: the schema has their defaults."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


@dataclass(frozen=True, kw_only=True)
class BotRequest:
    """One BotRequest object: its identity, its spec as JSON, and the little of its status that matters.

    `phase` is None until a status is written. `refused` is True if this generation was refused before: a refusal leaves
    no row, so the condition is its only trace. Without it, a restart hours later would grant a slot to a request that
    its owner has given up. Losing the condition is harmless: the request is judged anew. The rest of the status is
    dropped: a sweep holds all BotRequests at once, and the status was four fifths of them.
    """

    namespace: str
    name: str
    uid: str
    generation: int
    raw_spec: Json
    phase: str | None
    reason: str | None
    observed_generation: int
    refused: bool
    deleting: bool
    installation: str | None
    meeting_id: int | None = None
    created_at: datetime | None = None

    @classmethod
    def from_object(cls, body: Json) -> "BotRequest":
        """The BotRequest in an object of the Kubernetes API."""
        metadata, status = body["metadata"], body.get("status") or {}
        generation = metadata.get("generation", 1)
        return cls(
            namespace=metadata["namespace"],
            name=metadata["name"],
            uid=metadata["uid"],
            generation=generation,
            raw_spec=dict(body.get("spec") or {}),
            phase=status.get("phase"),
            reason=status.get("reason"),
            observed_generation=status.get("observedGeneration", 0),
            refused=_refused(status, generation=generation),
            deleting="deletionTimestamp" in metadata,
            installation=status.get("installation") or (metadata.get("labels") or {}).get("usher.dev/installation"),
            meeting_id=status.get("meetingId"),
            created_at=_time(metadata.get("creationTimestamp")),
        )

    def is_of(self, installation: str | None) -> bool:
        """True unless it carries the id of another installation."""
        return installation is None or self.installation in (None, installation)

    @property
    def connection_id(self) -> str:
        """The connection id: the one that the REST API set, else the object's UID."""
        return str(self.raw_spec.get("connectionId") or self.uid)

    @property
    def new(self) -> bool:
        """True if it has no status and was never edited. Usher has hardly ever handled such a request, so it reserves
        without reading first; a reservation that exists is found by that as well. The REST API makes the row before
        the request, so its requests are never new."""
        return self.phase is None and self.generation == 1 and not self.raw_spec.get("connectionId")

    @property
    def over(self) -> bool:
        """True if this generation was refused, or its status shows the end of the bot: that is final, whoever looks.
        A request without a row that is over was ended by rows that are lost; its bot must not join again."""
        return self.refused or self.ended

    @property
    def ended(self) -> bool:
        """True if the status shows the end of this generation's bot."""
        return self.phase in TERMINAL and self.observed_generation >= self.generation

    @property
    def wants_leave(self) -> bool:
        """True if the bot shall leave, or never join."""
        return bool(self.raw_spec.get("desiredState") == "Left")

    def spec(self) -> BotRequestSpec:
        """The spec, parsed once. Raises InvalidRequest, which names the field."""
        if isinstance(self._parsed, str):
            raise InvalidRequest(self._parsed)
        return self._parsed

    @cached_property
    def _parsed(self) -> BotRequestSpec | str:
        """The spec, or why it is not valid. Parsed when asked for: a sweep reads thousands that need nothing."""
        nul = _path_of_nul(self.raw_spec, path="spec")
        if nul is not None:
            return f"{nul}: A NUL character cannot be stored."
        try:
            spec = BotRequestSpec.model_validate(self.raw_spec)
        except ValidationError as exc:
            first = exc.errors(include_url=False)[0]
            return f"spec.{'.'.join(map(str, first['loc']))}: {first['msg']}."
        if spec.user_id is None and not spec.user_email:
            return "spec.userId: Name the user by userId or userEmail."
        return spec

    def log_fields(self) -> Json:
        """The fields that identify this request in a log line."""
        return {"request": f"{self.namespace}/{self.name}", "connection_id": self.connection_id}


def _refused(status: Json, *, generation: int) -> bool:
    return any(
        condition.get("type") == "Accepted"
        and condition.get("status") == "False"
        and condition.get("observedGeneration") == generation
        for condition in status.get("conditions") or []
    )


def _path_of_nul(value: object, *, path: str) -> str | None:
    """Where `value` has the one character that Postgres cannot store."""
    if isinstance(value, str):
        return path if "\0" in value else None
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    paths = (_path_of_nul(part, path=f"{path}.{key}") for key, part in inner)
    return next((found for found in paths if found), None)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
