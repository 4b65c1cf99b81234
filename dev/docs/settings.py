"""docs/settings.md, made from the settings' own words: `make docs` writes it, a unit test holds it to them."""

import sys
from pathlib import Path

from pydantic_core import PydanticUndefined

from usher_operator.settings import ENV_PREFIX, Settings

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
HEAD = """# Settings

Read from the environment by `usher operate` and `usher serve`. Durations are seconds. A wrong or missing setting stops
the start with a sentence that names it. This page is made by `make docs`.

| variable | default | meaning |
|---|---|---|
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(_row(name) for name in Settings.model_fields)


def _row(name: str) -> str:
    field = Settings.model_fields[name]
    meaning = " ".join((field.description or "").split()).replace("|", "\\|")
    return f"| `{ENV_PREFIX}{name.upper()}` | {_default(field.default)} | {meaning} |\n"


def _default(value: object) -> str:
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, tuple):
        value = ",".join(value)
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f"`{text}`" if text else "empty"


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"Wrote {PAGE.name}.\n")
