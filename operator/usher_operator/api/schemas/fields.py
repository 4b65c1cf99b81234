"""The types of fields that callers send: bounded by what can be stored and run."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from usher_operator.http.field_errors import describe_pattern

INT_MAX = 2**31 - 1
LANGUAGE = r"^(auto|[a-z]{2,3}(-[A-Za-z0-9]{2,8})*)$"
TASK = r"^[a-z][a-z_]{0,31}$"
EMAIL = r"^[^@\x00-\x20\x7f]+@[^@\x00-\x20\x7f]+$"
URL = r"^https?://[^\x00-\x20\x7f]+$"
PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
# Postgres stores any character except NUL.
STORABLE = r"^[^\x00]*$"

describe_pattern(LANGUAGE, "must be a language code such as en or pt-BR, or auto")
describe_pattern(TASK, "must be a lower-case word such as transcribe")
describe_pattern(EMAIL, "must be an email address")
describe_pattern(URL, "must be a URL that begins with http:// or https://")
describe_pattern(PRINTABLE, "must not contain control characters")
describe_pattern(STORABLE, "must not contain a NUL character")


def _storable(value: dict[str, Any]) -> dict[str, Any]:
    """The value, unless it contains something that JSON can express and Postgres cannot store."""
    for part in _leaves(value):
        if isinstance(part, str) and "\0" in part:
            raise ValueError("must not contain a NUL character")
        if isinstance(part, float) and part - part != 0:
            raise ValueError("must contain finite numbers only")
    return value


def _leaves(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for key, part in value.items() for leaf in (key, *_leaves(part))]
    if isinstance(value, list):
        return [leaf for part in value for leaf in _leaves(part)]
    return [value]


Id = Annotated[int, Field(ge=1, le=INT_MAX)]
Text = Annotated[str, Field(max_length=255, pattern=STORABLE)]
Name = Annotated[str, Field(max_length=100, pattern=STORABLE)]
Line = Annotated[str, Field(max_length=255, pattern=PRINTABLE)]
Language = Annotated[str, Field(max_length=35, pattern=LANGUAGE)]
Task = Annotated[str, Field(pattern=TASK)]
Data = Annotated[dict[str, JsonValue], AfterValidator(_storable)]
Url = Annotated[str, Field(max_length=2048, pattern=URL)]
Limit = Annotated[int, Field(ge=0, le=INT_MAX)]


class Input(BaseModel):
    """A part of a request. Docstrings of fields become descriptions in the OpenAPI document."""

    model_config = ConfigDict(extra="ignore", use_attribute_docstrings=True)
