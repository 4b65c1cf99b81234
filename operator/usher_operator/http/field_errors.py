"""What is wrong with a field, in Usher's words: those of pydantic name Python types."""

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

FieldError = dict[str, Any]

_PATTERNS: dict[str, str] = {}


def describe_pattern(pattern: str, text: str) -> None:
    """Let errors about a regular expression be reported in words."""
    _PATTERNS[pattern] = text


_TEXTS: dict[str, Callable[[dict[str, Any]], str]] = {
    "missing": lambda _: "is required",
    "extra_forbidden": lambda _: "is not a known field",
    "literal_error": lambda ctx: _one_of(ctx["expected"]),
    "enum": lambda ctx: f"must be one of: {_plain(ctx['expected'])}",
    "string_type": lambda _: "must be a string",
    "string_unicode": lambda _: "must be valid Unicode",
    "string_too_long": lambda ctx: f"must have at most {ctx['max_length']} characters",
    "string_too_short": lambda ctx: f"must have at least {ctx['min_length']} characters",
    "string_pattern_mismatch": lambda ctx: _PATTERNS.get(ctx["pattern"], f"must match {ctx['pattern']}"),
    "int_type": lambda _: "must be an integer",
    "int_parsing": lambda _: "must be an integer",
    "int_parsing_size": lambda _: "is too large",
    "int_from_float": lambda _: "must be an integer",
    "bool_type": lambda _: "must be true or false",
    "bool_parsing": lambda _: "must be true or false",
    "greater_than_equal": lambda ctx: f"must be at least {ctx['ge']}",
    "less_than_equal": lambda ctx: f"must be at most {ctx['le']}",
    "list_type": lambda _: "must be a list",
    "too_long": lambda ctx: f"must have at most {ctx['max_length']} items",
    "too_short": lambda ctx: f"must have at least {ctx['min_length']} items",
    "dict_type": lambda _: "must be an object",
    "model_type": lambda _: "must be an object",
    "model_attributes_type": lambda _: "must be an object",
    "value_error": lambda ctx: str(ctx["error"]),
}


def _one_of(expected: str) -> str:
    """The choice in the words of JSON, where a single value is no choice."""
    if expected in ("True", "False"):
        return f"must be {expected.lower()}"
    return f"must be one of: {_plain(expected)}"


def _plain(expected: str) -> str:
    """pydantic's `'a', 'b' or 'c'` as `a, b, c`."""
    return expected.replace(" or ", ", ").replace("'", "")


def field_errors(error: ValidationError, *where: str) -> list[FieldError]:
    """Each invalid field with its place in the request, a sentence's predicate, and a type for programs."""
    return [_field_error(each, where) for each in error.errors(include_url=False, include_input=False)]


def _field_error(error: ErrorDetails, where: tuple[str, ...]) -> FieldError:
    text = _TEXTS.get(error["type"])
    message = text(error.get("ctx") or {}) if text else "is not valid"
    return {"loc": [*where, *error["loc"]], "msg": message, "type": error["type"]}


def sentence(errors: list[FieldError]) -> str:
    """The first errors as one sentence."""
    parts = [f"{'.'.join(map(str, error['loc']))} {error['msg']}" for error in errors[:3]]
    more = f"; {len(errors) - 3} more" if len(errors) > 3 else ""
    return f"{'; '.join(parts)}{more}."
