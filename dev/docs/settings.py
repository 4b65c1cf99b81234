"""Settings: made from the settings' own sentences, group by group."""

from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from dev.docs.markdown import code, head, table
from usher_operator.settings import ENV_PREFIX, Settings

TEXT = """
`usher operate` and `usher serve` read their settings from the environment. Durations are seconds. A wrong or missing
setting stops the start with a sentence that names it. The chart sets most of them from [its own
values](chart-values.md); `settings` there takes the others. The bot's own settings are on [its
page](bot.md#settings). `make docs` makes this page from `operator/usher_operator/settings/groups.py`.
"""


def page() -> str:
    """The whole page."""
    return head("Settings", TEXT) + "".join(_group(group) for group in groups()).rstrip() + "\n"


def groups() -> list[type[BaseSettings]]:
    """The groups, as they stand in the module."""
    return [group for group in reversed(Settings.__bases__) if issubclass(group, BaseSettings)]


def _group(group: type[BaseSettings]) -> str:
    rows = (
        [code(f"{ENV_PREFIX}{name.upper()}"), _default(field.default), field.description or ""]
        for name, field in group.model_fields.items()
    )
    title = group.__name__.removesuffix("Settings")
    return f"## {title}\n\n{group.__doc__}\n\n{table(('variable', 'default', 'meaning'), rows)}"


def _default(value: object) -> str:
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, tuple):
        value = ",".join(value)
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return code(text) or "empty"
