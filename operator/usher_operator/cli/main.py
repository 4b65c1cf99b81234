"""The `usher` command: it runs the control plane, prepares its database and shows its meetings.

Settings come from the environment (`USHER_…`). Exit codes: 0 done, 1 it failed, 2 wrong usage or settings.
"""

from importlib.metadata import version
from typing import Annotated

import typer

from usher_operator.cli import adopt, database, meetings, release, service_level, users
from usher_operator.cli.runner import execute, service_settings_or_exit

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="Usher runs meeting bots on Kubernetes.")
app.add_typer(database.db, name="db")
app.add_typer(users.user, name="user")
app.add_typer(users.token, name="token")
app.command()(meetings.why)
app.command()(meetings.follow)
app.command()(meetings.leave)
app.command("bots")(meetings.list_bots)
app.command("meetings")(meetings.list_meetings)
app.command()(service_level.slo)
app.command()(adopt.adopt)
app.command()(database.adopt_legacy)
app.command()(release.smoke)
app.command()(release.probe)
app.command()(release.drain)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"usher {version('usher')}")
        raise typer.Exit


@app.callback()
def usher(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Usher runs meeting bots on Kubernetes."""


@app.command()
def operate() -> None:
    """Watch BotRequests, create Jobs and reconcile; of several processes one leads, and the others stand by."""
    from usher_operator.processes.operate import operate as run

    settings = service_settings_or_exit()
    execute(run(settings))


@app.command()
def serve() -> None:
    """Serve callbacks of bots, health and metrics (any number of replicas)."""
    from usher_operator.processes.serve import serve as run

    settings = service_settings_or_exit()
    execute(run(settings))


@app.command("run")
def run_both() -> None:
    """Operate and serve in one process, for development."""
    from usher_operator.processes.both import run as run_all

    settings = service_settings_or_exit()
    execute(run_all(settings))


def main() -> None:
    """Run the console script."""
    app()
