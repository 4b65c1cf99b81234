"""The audit trail of a meeting that an older deployment ran: a list inside the row's data, of no fixed shape."""

from datetime import datetime
from typing import Any

from usher_operator.api.schemas.responses import TransitionResponse

_READ = frozenset({"from", "to", "timestamp", "source", "reason"})


def story_of(data: dict[str, Any]) -> list[TransitionResponse]:
    """What can be read of it, in its own order."""
    lines = data.get("status_transition")
    found = [line for line in lines if isinstance(line, dict)] if isinstance(lines, list) else []
    return [_line(seq, line) for seq, line in enumerate(found, start=1)]


def _line(seq: int, line: dict[str, Any]) -> TransitionResponse:
    return TransitionResponse(
        seq=seq,
        from_status=_word(line.get("from")),
        to_status=_word(line.get("to")) or "unknown",
        source=_word(line.get("source")) or "unknown",
        reason=_word(line.get("reason") or line.get("completion_reason")),
        detail={key: value for key, value in line.items() if key not in _READ},
        at=_time(line.get("timestamp")),
    )


def _word(value: object) -> str | None:
    return str(value) if value is not None else None


def _time(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None
