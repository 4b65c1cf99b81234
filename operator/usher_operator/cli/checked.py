"""Arguments that the command line takes by the same rules as the API: what one refuses, the other does not store."""

from collections.abc import Callable
from typing import Any

import typer
from pydantic import TypeAdapter, ValidationError

from usher_operator.http.field_errors import field_errors


def checked(kind: Any) -> Callable[[Any], Any]:
    """A callback of an argument or option that must be of this type of the API's schemas."""
    adapter = TypeAdapter(kind)

    def check(value: Any) -> Any:
        if value is None or value == []:
            return value
        try:
            return adapter.validate_python(value)
        except ValidationError as exc:
            raise typer.BadParameter(f"{field_errors(exc)[0]['msg']}.") from exc

    return check
