"""Chart values: made from the comments in the chart's values.yaml, as the chart's own README is."""

import json
from itertools import groupby

from dev.chart import CHART, documented
from dev.docs.markdown import code, head, table

TEXT = """
Every value of the Helm chart, with its default. The chart refuses a value that is not here, and a combination that
cannot work, with a sentence that says what would. [Install](../howto/install.md) has examples. `make docs` makes this
page from the comments in `helm/usher/values.yaml`.
"""

Value = tuple[str, object, str]


def page() -> str:
    """The whole page."""
    values = documented((CHART / "values.yaml").read_text())
    single = [value for value in values if "." not in value[0]]
    parts = groupby((value for value in values if "." in value[0]), key=lambda value: value[0].partition(".")[0])
    text = _part("Single values", single) + "".join(_part(name, list(found)) for name, found in parts)
    return head("Chart values", TEXT) + text.rstrip() + "\n"


def _part(name: str, values: list[Value]) -> str:
    rows = ([code(path), code(json.dumps(default)), meaning] for path, default, meaning in values)
    return f"## {name}\n\n{table(('value', 'default', 'meaning'), rows)}"
