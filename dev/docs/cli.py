"""The command line: made by typer from the commands themselves."""

import typer
from typer.cli import get_docs_for_click

from dev.docs.markdown import head
from usher_operator.cli.main import app

TEXT = """
The `usher` command runs the control plane, prepares its database, and shows users, keys and meetings. It is in
Usher's image: `kubectl --namespace usher-system exec deploy/usher-serve -- usher bots`. It reads the same
[settings](settings.md) as the control plane. Exit codes: 0 done, 1 failed, 2 wrong usage or settings. `make docs`
makes this page from `operator/usher_operator/cli/`.
"""


def page() -> str:
    """The whole page."""
    command = typer.main.get_command(app)
    made = get_docs_for_click(obj=command, ctx=typer.Context(command), name="usher")
    # Its own title and first sentence are those of `head`.
    usage = made[made.index("**Usage**") :]
    return head("Command line", TEXT) + usage.rstrip() + "\n"
