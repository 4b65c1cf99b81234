"""The bound of a bundle: what is too long is cut where it explains least, and the bundle says what was cut.

Secrets are masked before: a cut could take away what they are recognised by.
"""

import json
from collections.abc import Callable
from typing import Any

from usher_operator.kube.port import Json

# As JSON in ASCII, the longest form in which it is ever sent.
BUNDLE_MAX_BYTES = 256 * 1024
LOG_MAX = 49_152
LOG_MIN = 1_024
TEXT_MAX = 2_000
DETAIL_MAX_BYTES = 8_192
MOST = {"events": 40, "transitions": 30, "stages": 20, "pods": 3, "logs": 12, "unread": 30}
# What is left out of a bundle that is still too long, the first ones first.
_LEAST = ("logs", "events", "transitions", "pods", "job", "stages", "unread")
# For what is said of the last cuts.
_RESERVE = 4_096


def size_of(value: Any) -> int:
    """The bytes of a JSON value."""
    return len(json.dumps(value))


def bounded(bundle: Json, *, limit: int = BUNDLE_MAX_BYTES) -> Json:
    """The bundle in at most `limit` bytes."""
    cut: list[str] = []
    fitted = {name: _fitted(name, value, cut.append) for name, value in bundle.items()}
    _shorten_logs(fitted, cut.append, limit=limit - _RESERVE)
    for name in _LEAST:
        if size_of(fitted) <= limit - _RESERVE:
            break
        fitted[name] = None if name == "job" else []
        cut.append(f"{name}: all of it")
    return fitted | {"cut": cut[-MOST["unread"] :]}


def _fitted(name: str, value: Any, note: Callable[[str], None]) -> Any:
    if name in MOST and len(value) > MOST[name]:
        note(f"{name}: the first {len(value) - MOST[name]} of {len(value)}")
        value = value[-MOST[name] :]
    if name == "logs":
        return [_shorter(log, LOG_MAX, note) for log in value]
    if name == "transitions":
        value = [line | {"detail": _fitted_detail(line["detail"], note)} for line in value]
    return _clipped(value, name, note)


def _fitted_detail(detail: Any, note: Callable[[str], None]) -> Any:
    if size_of(detail) <= DETAIL_MAX_BYTES:
        return detail
    note("transitions: the detail of one, which is too long")
    return {}


def _clipped(value: Any, name: str, note: Callable[[str], None]) -> Any:
    """The value with long strings cut in their middle: a cause stands at the begin or at the end."""
    if isinstance(value, dict):
        return {key[:TEXT_MAX]: _clipped(each, name, note) for key, each in value.items()}
    if isinstance(value, list):
        return [_clipped(each, name, note) for each in value]
    if isinstance(value, str) and len(value) > TEXT_MAX:
        note(f"{name}: {len(value) - TEXT_MAX} characters of a text")
        return f"{value[: TEXT_MAX // 2]} … {value[-TEXT_MAX // 2 :]}"
    return value


def _shorten_logs(bundle: Json, note: Callable[[str], None], *, limit: int) -> None:
    """Halve the longest log until the bundle fits or no log can be shortened."""
    while size_of(bundle) > limit and bundle["logs"]:
        at, longest = max(enumerate(bundle["logs"]), key=lambda each: len(each[1]["text"]))
        if len(longest["text"]) <= LOG_MIN:
            return
        bundle["logs"][at] = _shorter(longest, len(longest["text"]) // 2, note)


def _shorter(log: Json, most: int, note: Callable[[str], None]) -> Json:
    """A log without its oldest lines."""
    text = log["text"]
    if len(text) <= most:
        return log
    kept = text[-most:]
    kept = kept.partition("\n")[2] or kept
    note(f"logs: {len(text) - len(kept)} characters from the begin of {log['container']} in {log['pod']}")
    return log | {"text": kept}
