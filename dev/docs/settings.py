"""Settings: made from the settings' own sentences."""

from pydantic_core import PydanticUndefined

from dev.docs.markdown import code, head, table
from usher_operator.settings import ENV_PREFIX, Settings

TEXT = """
`usher operate` and `usher serve` read their settings from the environment. Durations are seconds. A wrong or missing setting stops the start
with a sentence that names it. The chart sets most of them from [its own values](chart-values.md); `settings` there takes the others. The bot's
own settings are on [its page](bot.md#settings). `make docs` makes this page from `operator/usher_operator/settings.py`.
"""


def page() -> str:
    """The whole page."""
    rows = ([code(f"{ENV_PREFIX}{name.upper()}"), _default(name), _meaning(name)] for name in Settings.model_fields)
    return head("Settings", TEXT) + table(("variable", "default", "meaning"), rows).rstrip() + "\n"


def _meaning(name: str) -> str:
    return Settings.model_fields[name].description or ""


def _default(name: str) -> str:
    value = Settings.model_fields[name].default
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, tuple):
        value = ",".join(value)
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return code(text) or "empty"
