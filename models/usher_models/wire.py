"""The messages between bots and the callback server, and the commands on Redis.

Bodies are strict about the fields that Usher reads and tolerant of others: an existing bot may send fields of its own.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from usher_models.states import REASON_PATTERN, Stage, Status

BODY_MAX_BYTES = 64 * 1024
DETAIL_MAX_LENGTH = 4096
# What a bot takes as its interval; the operator's setting has the same bounds, or bots would refuse to start.
HEARTBEAT_INTERVAL_S_MIN = 0.1
HEARTBEAT_INTERVAL_S_MAX = 600.0
# The command of driver exec travels as JSON in one environment variable, which Linux limits to 128 KiB.
COMMAND_MAX_BYTES = 64 * 1024

ConnectionId = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$")]
EventId = Annotated[str, Field(min_length=1, max_length=255)]


# Whose doing a bot may say its end was; `usher_models.outcomes.Party` has these and two that no bot can know.
ReasonKind = Literal["user", "host", "platform", "infrastructure", "bot"]


class _Callback(BaseModel):
    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    connection_id: ConnectionId
    event_id: EventId | None = None
    seq: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    container_id: Annotated[str, Field(max_length=255)] | None = None


class Started(_Callback):
    """The bot's process runs."""


class Joined(_Callback):
    """The bot is in the meeting."""


class Heartbeat(_Callback):
    """The bot is alive. It carries the bot's own view, so that a lost callback costs one heartbeat."""

    status: Literal[Status.STARTING, Status.ACTIVE, Status.STOPPING] | None = None
    stage: Stage | None = None
    applied_generation: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    participants: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    detail: Annotated[str, Field(max_length=DETAIL_MAX_LENGTH)] | None = None


class StatusUpdate(_Callback):
    """The bot is leaving (`status`), or moved on within its status (`stage`)."""

    status: Literal[Status.STOPPING] | None = None
    stage: Stage | None = None


class Exited(_Callback):
    """The bot's last callback. Exit code 0 completes the meeting, any other fails it."""

    exit_code: Annotated[int, Field(ge=-1, le=255)]
    reason: Annotated[str, Field(pattern=REASON_PATTERN)] | None = None
    reason_kind: ReasonKind | None = None
    detail: Annotated[str, Field(max_length=DETAIL_MAX_LENGTH)] | None = None


class Command(BaseModel):
    """One command to a bot. `id` is the same however often and by whichever way it arrives."""

    model_config = ConfigDict(extra="allow")

    id: str
    action: Literal["leave", "reconfigure"]
    generation: int | None = None
    language: str | None = None
    task: str | None = None


Processed = Literal["callback processed", "heartbeat processed", "status update processed"]


class Reply(BaseModel):
    """The answer to a callback that was understood. `new_status` is the row's actual status."""

    status: Processed
    meeting_id: int
    new_status: Status
    applied: bool
    commands: list[Command] = []
    next_beat_s: float


class Problem(BaseModel):
    """The answer to everything else: a stable `code`, a sentence, and for a bot that must exit, `terminate`."""

    model_config = ConfigDict(extra="allow")

    code: str
    detail: str | list[dict[str, Any]]
    terminate: bool = False


def leave_command(meeting_id: int) -> Command:
    """Leave the meeting and exit."""
    return Command(id=f"{meeting_id}:leave", action="leave")


def reconfigure_command(meeting_id: int, *, generation: int, config: dict[str, Any]) -> Command:
    """Take on `config` (language, task, …); the bot acknowledges by `applied_generation` in its heartbeats."""
    return Command(
        id=f"{meeting_id}:config:{generation}",
        action="reconfigure",
        generation=generation,
        **{key: value for key, value in config.items() if value is not None},
    )


def command_channels(*, meeting_id: int, connection_id: str) -> tuple[str, str]:
    """The two Redis channels of one bot: by meeting, and by connection for bots of an older kind."""
    return f"bot_commands:meeting:{meeting_id}", f"bot_commands:{connection_id}"


def short_command(command: list[str]) -> list[str]:
    """The command of driver exec. Raises ValueError if no bot could be started with it."""
    if len(json.dumps(command)) > COMMAND_MAX_BYTES:
        raise ValueError(f"Must have at most {COMMAND_MAX_BYTES} bytes as JSON; put a longer script into the image.")
    return command
