"""The audit trail of a meeting that an older deployment ran: a list inside the row's data, of no fixed shape."""

from datetime import datetime
from typing import Any

from usher_operator.api.schemas.responses import TransitionResponse

_READ = frozenset({"from", "to", "timestamp", "source", "reason"})


def history(data: dict[str, Any]) -> list[TransitionResponse]:
    """Its readable entries, in their own order."""
    entries = data.get("status_transition")
    readable = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return [_transition(seq, entry) for seq, entry in enumerate(readable, start=1)]


def _transition(seq: int, entry: dict[str, Any]) -> TransitionResponse:
    return TransitionResponse(
        seq=seq,
        from_status=_word(entry.get("from")),
        to_status=_word(entry.get("to")) or "unknown",
        source=_word(entry.get("source")) or "unknown",
        reason=_word(entry.get("reason") or entry.get("completion_reason")),
        fault=None,
        detail={key: value for key, value in entry.items() if key not in _READ},
        at=_time(entry.get("timestamp")),
    )


def _word(value: object) -> str | None:
    return str(value) if value is not None else None


def _time(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None
