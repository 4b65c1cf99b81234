"""The choice between the machine's Python and a built one."""

import sys

from dev.machine.errors import DevError
from dev.python.building import ensure
from dev.python.finding import find


def chosen_or_exit() -> str:
    """The path of the Python to run on; when there is none and none can be made, the process ends with a sentence."""
    try:
        return str(find() or ensure())
    except DevError as error:
        print(f"dev.python: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
