"""One try of one callback: what goes over the wire, and what each answer means.

The transport borrows the process's HTTP session and keeps nothing between tries; it reads the token anew each time,
because the kubelet replaces it. Whether to try again is decided in `persistence`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

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
from usher_models import errors as codes
from usher_models.wire import Command

_TRY_AGAIN = frozenset({408, 425, 429})
_LONGEST_BEAT_S = 600.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the control plane said to a callback it accepted."""

    commands: list[Command] = field(default_factory=list)
    next_beat_s: float | None = None


class Transport:
    """Speaks HTTP to the callback server."""

    def __init__(self, *, session: aiohttp.ClientSession, base_url: str, token_file: Path) -> None:
        self._session = session
        self._base_url = base_url
        self._token_file = token_file

    async def send(self, method: str, name: str, *, body: Mapping[str, Any], timeout_s: float) -> Answer:
        """Try once. Raises a BotError that says what the answer means."""
        url = f"{self._base_url}/bots/internal/callback/{name}"
        try:
            async with self._session.request(
                method,
                url,
                json=body,
                headers={"Authorization": f"Bearer {self._token()}"},
                timeout=aiohttp.ClientTimeout(total=timeout_s),
                allow_redirects=False,
            ) as response:
                return _understand(response, await response.read())
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            raise Unreachable(f"No answer from the control plane ({type(exc).__name__}).") from exc

    def _token(self) -> str:
        return self._token_file.read_text(encoding="ascii").strip()


def _understand(response: aiohttp.ClientResponse, raw: bytes) -> Answer:
    document = _json_object(raw)
    if response.status != 200:
        raise _refusal(response, document)
    if "processed" not in str(document.get("status")):
        raise Unreachable("The control plane's answer makes no sense.")
    commands = document.get("commands")
    read = [read_command(item) for item in commands] if isinstance(commands, list) else []
    return Answer(commands=[command for command in read if command], next_beat_s=_beat(document.get("next_beat_s")))


def _refusal(response: aiohttp.ClientResponse, document: dict[str, Any]) -> BotError:
    status, code = response.status, document.get("code")
    if status == 410:
        return MeetingOver()
    if status == 409 and code == codes.AnotherPodSpeaks.code:
        return AnotherPodSpeaks()
    if status in (401, 403):
        return TokenRefused()
    if status == 404:
        return ConnectionUnknown()
    if status in _TRY_AGAIN or status >= 500 or status < 400:
        return Unreachable(f"The control plane answered {status}.", retry_after_s=_retry_after(response))
    return NotApplied(f"The control plane answered {status} ({str(code)[:64]}).")


def _json_object(raw: bytes) -> dict[str, Any]:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() else None


def _beat(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LONGEST_BEAT_S:
        return None
    return float(value)
