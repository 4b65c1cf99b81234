"""A BotRequest as Usher understands it: parsed at the boundary, refused with a reason and a sentence.

The schema in the cluster checks most of this already; nothing here relies on it, because the object may come from an
older schema or from the REST API.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from usher_models.db.reservations import Request
from usher_models.errors import Refused
from usher_models.platforms import resolve
from usher_models.states import Source
from usher_models.wire import ConnectionId

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


class _Spec(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")


class SimulationSpec(_Spec):
    """The script of a simulated meeting; durations are seconds."""

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
    # bot_commands:meeting:42 is where another bot hears its commands.
    if connection_id.startswith("meeting:"):
        raise ValueError("Must not begin with meeting:, which names the channels of meetings.")
    return connection_id


class BotRequestSpec(_Spec):
    """spec of a BotRequest; `crds/botrequests.yaml` describes each field."""

    user_id: Id | None = None
    user_email: str | None = None
    platform: str | None = None
    native_meeting_id: str | None = None
    meeting_url: str | None = None
    passcode: str | None = None
    bot_name: str = "Usher"
    language: str | None = None
    task: str | None = None
    desired_state: Literal["Running", "Left"] = "Running"
    connection_id: Annotated[ConnectionId, AfterValidator(_no_meeting)] | None = None
    lobby_timeout_seconds: Seconds = 900
    max_duration_seconds: Seconds = 14_400
    ttl_seconds_after_finished: int = Field(default=600, ge=0, lt=2**31)
    driver: Literal["simulated", "exec"] | None = None
    image: str | None = None
    command: list[str] = []
    simulation: SimulationSpec | None = None
    resources: Json | None = None
    node_selector: dict[str, str] = {}
    tolerations: list[Json] = []
    priority_class_name: str | None = None
    image_pull_secrets: list[Json] = []

    @property
    def mutable_config(self) -> Json:
        """The part a running bot can take on."""
        return {"language": self.language, "task": self.task}


@dataclass(frozen=True, kw_only=True)
class BotRequest:
    """One BotRequest object: who it is, its spec as it came, and what little matters of its status.

    `phase` is None as long as no status is shown. `refused` is whether this generation was refused before: a refusal
    leaves no row, so the condition is its only trace. Without it, a restart hours later would grant a slot to a request
    that everybody has given up on. Losing the condition is harmless: the request is judged anew. The rest of the status
    is not kept: a sweep holds all BotRequests at once, and it was four fifths of them.
    """

    namespace: str
    name: str
    uid: str
    generation: int
    raw_spec: Json
    phase: str | None
    refused: bool
    deleting: bool

    @classmethod
    def from_object(cls, body: Json) -> "BotRequest":
        """The BotRequest in an object of the API."""
        metadata, status = body["metadata"], body.get("status") or {}
        generation = metadata.get("generation", 1)
        return cls(
            namespace=metadata["namespace"],
            name=metadata["name"],
            uid=metadata["uid"],
            generation=generation,
            raw_spec=dict(body.get("spec") or {}),
            phase=status.get("phase"),
            refused=_refused(status, generation=generation),
            deleting="deletionTimestamp" in metadata,
        )

    @property
    def connection_id(self) -> str:
        """The connection id: given by the REST API, else the object's own UID."""
        return str(self.raw_spec.get("connectionId") or self.uid)

    @property
    def new(self) -> bool:
        """Whether it shows nothing yet and has not changed since it was made: mostly nobody has seen it, and a
        reservation, which finds one that is there, need not be preceded by a look. A row that the REST API made is
        there before its request."""
        return self.phase is None and self.generation == 1 and not self.raw_spec.get("connectionId")

    @property
    def wants_leave(self) -> bool:
        """Whether the bot shall leave, or never come."""
        return bool(self.raw_spec.get("desiredState") == "Left")

    def spec(self) -> BotRequestSpec:
        """The parsed spec. Raises InvalidRequest, which names the field."""
        nul = _path_of_nul(self.raw_spec, path="spec")
        if nul is not None:
            raise InvalidRequest(f"{nul}: A NUL character cannot be stored.")
        try:
            spec = BotRequestSpec.model_validate(self.raw_spec)
        except ValidationError as exc:
            first = exc.errors(include_url=False)[0]
            raise InvalidRequest(f"spec.{'.'.join(map(str, first['loc']))}: {first['msg']}.") from exc
        if spec.user_id is None and not spec.user_email:
            raise InvalidRequest("spec.userId: Name the user by userId or userEmail.")
        return spec

    def log_fields(self) -> Json:
        """What names this request in a log line."""
        return {"request": f"{self.namespace}/{self.name}", "connection_id": self.connection_id}


def _refused(status: Json, *, generation: int) -> bool:
    return any(
        condition.get("type") == "Accepted"
        and condition.get("status") == "False"
        and condition.get("observedGeneration") == generation
        for condition in status.get("conditions") or []
    )


def _path_of_nul(value: object, *, path: str) -> str | None:
    """Where in `value` the one character is that Postgres cannot store."""
    if isinstance(value, str):
        return path if "\0" in value else None
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    paths = (_path_of_nul(part, path=f"{path}.{key}") for key, part in inner)
    return next((found for found in paths if found), None)


def to_reservation(
    request: BotRequest, spec: BotRequestSpec, *, user_id: int, allowed_private_hosts: Sequence[str] = ()
) -> Request:
    """What to reserve for a request. Raises InvalidMeeting."""
    meeting = resolve(
        platform=spec.platform,
        native_id=spec.native_meeting_id,
        url=spec.meeting_url,
        passcode=spec.passcode,
        allowed_private_hosts=allowed_private_hosts,
    )
    config = {"bot_name": spec.bot_name, "meeting_url": meeting.url, "passcode": meeting.passcode}
    return Request(
        connection_id=request.connection_id,
        user_id=user_id,
        meeting=meeting,
        source=Source.OPERATOR,
        lobby_timeout_s=spec.lobby_timeout_seconds,
        max_duration_s=spec.max_duration_seconds,
        config={key: value for key, value in (config | spec.mutable_config).items() if value is not None},
        spec=request.raw_spec,
        request_namespace=request.namespace,
        request_name=request.name,
        request_uid=request.uid,
        request_generation=request.generation,
    )
