"""What an answer of the callback server means to a bot. Pure functions over a status, a body and headers.

A proxy, a service mesh or a Service that points elsewhere may answer in the server's place with any status. So a status
alone is no evidence: the server declines a callback or dismisses a bot by a problem with one of its own codes, and
everything else is worth another try.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from usher_bot.commands import read_command
from usher_bot.errors import (
    AnotherPodSpeaks,
    BotError,
    ConnectionUnknown,
    MeetingOver,
    NotApplied,
    TokenRefused,
    Unreachable,
)
from usher_models import errors
from usher_models.wire import HEARTBEAT_INTERVAL_S_MAX, Command, Problem

EXCERPT_LENGTH = 120

_TERMINATES: dict[tuple[int, str], type[BotError]] = {
    (410, errors.MeetingOver.code): MeetingOver,
    (409, errors.AnotherPodSpeaks.code): AnotherPodSpeaks,
}
_REFUSES: dict[tuple[int, str], type[BotError]] = {
    (401, errors.Unauthorized.code): TokenRefused,
    (403, errors.Forbidden.code): TokenRefused,
    (404, errors.UnknownConnection.code): ConnectionUnknown,
}
_DECLINES = frozenset(
    {
        (400, "bad_body"),
        (409, errors.IllegalMove.code),
        # The reason phrase of HTTP, which newer versions of Python spell in another way.
        (413, "request_entity_too_large"),
        (413, "content_too_large"),
        (422, "invalid_body"),
        (422, errors.NotStorable.code),
    }
)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The control plane's answer to a callback it accepted."""

    commands: list[Command] = field(default_factory=list)
    next_beat_s: float | None = None


def understand(status: int, raw: bytes, headers: Mapping[str, str]) -> Answer:
    """The answer that the server gave. Raises the BotError that says what any other answer means."""
    document = _json_object(raw)
    if status == 200 and "processed" in str(document.get("status")):
        return _accepted(document)
    raise _own_error(status, document) or Unreachable(_foreign(status, raw), retry_after_s=_retry_after(headers))


def _accepted(document: dict[str, Any]) -> Answer:
    commands = document.get("commands")
    read = [read_command(item) for item in commands] if isinstance(commands, list) else []
    return Answer(commands=[command for command in read if command], next_beat_s=_interval(document.get("next_beat_s")))


def _own_error(status: int, document: dict[str, Any]) -> BotError | None:
    """The error if the document is a problem of Usher's that a retry cannot help, None otherwise."""
    problem = _problem(document)
    if problem is None:
        return None
    key = (status, problem.code)
    if key in _DECLINES:
        return NotApplied(f"The control plane answered {status} ({problem.code}).")
    kind = _TERMINATES.get(key) if problem.terminate else _REFUSES.get(key)
    return kind() if kind else None


def _problem(document: dict[str, Any]) -> Problem | None:
    try:
        return Problem.model_validate(document, strict=True) if "terminate" in document else None
    except ValidationError:
        return None


def _foreign(status: int, raw: bytes) -> str:
    text = " ".join(raw[:EXCERPT_LENGTH].decode(errors="replace").split())
    printable = "".join(character if character.isprintable() else "?" for character in text)
    return f"answered HTTP {status} with {printable!r}" if printable else f"answered HTTP {status} without a body"


def _json_object(raw: bytes) -> dict[str, Any]:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _retry_after(headers: Mapping[str, str]) -> float | None:
    value = headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() else None


def _interval(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= HEARTBEAT_INTERVAL_S_MAX:
        return None
    return float(value)
