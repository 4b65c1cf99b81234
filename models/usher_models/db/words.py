"""Words that bots, Kubernetes and people say, in the form that the database can store.

They explain an end and decide nothing, so a character that the database does not have must not keep a meeting, or all
of a sweep's, from ending. Names and ids are another matter: those are refused rather than changed.
"""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from usher_models.db.engine import driver_of

_LOST = "\ufffd"


def storable[Words: str | list[Any] | dict[str, Any] | None](connection: AsyncConnection, words: Words) -> Words:
    """The words, with a mark in place of each character that cannot be stored."""
    wide = driver_of(connection).info.parameter_status("server_encoding") in ("UTF8", None)  # a pooler may not say it
    return _storable(words, wide=wide)  # type: ignore[no-any-return]


def _storable(words: Any, *, wide: bool) -> Any:
    if isinstance(words, str):
        known = words.replace("\0", _LOST)
        # What other encodings have differs; ASCII is in all of them.
        return known.encode(errors="replace").decode() if wide else known.encode("ascii", "replace").decode()
    if isinstance(words, dict):
        return {_storable(key, wide=wide): _storable(value, wide=wide) for key, value in words.items()}
    return [_storable(each, wide=wide) for each in words] if isinstance(words, list) else words
