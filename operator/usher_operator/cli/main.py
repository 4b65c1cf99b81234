"""The `usher` command: what runs the control plane, prepares its database and shows its meetings.

Settings come from the environment (`USHER_…`). Exit codes: 0 done, 1 it failed, 2 wrong usage or settings.
"""

import asyncio
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer
from tenacity import RetryCallState, retry, retry_if_exception_type, stop_after_delay, wait_fixed

from usher_models.db import bots, upgrade
from usher_models.db.engine import Database
from usher_models.errors import DatabaseUnavailable
from usher_operator.cli import output, release, users
from usher_operator.cli.runner import AsJson, fail, settings_or_exit, with_database
from usher_operator.cli.runner import run as execute

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Usher runs meeting bots on Kubernetes.",
)
db = typer.Typer(no_args_is_help=True, help="Prepare and check the database.")
app.add_typer(db, name="db")
app.add_typer(users.user, name="user")
app.add_typer(users.token, name="token")
for command in (release.smoke, release.probe, release.drain):
    app.command()(command)

# How often `usher follow` looks.
FOLLOW_INTERVAL_S = 0.3


@app.command()
def operate() -> None:
    """Watch BotRequests, create Jobs and reconcile (one replica)."""
    from usher_operator.processes.operate import operate as run

    settings = settings_or_exit()
    execute(run(settings))


@app.command()
def serve() -> None:
    """Serve callbacks of bots, health and metrics (any number of replicas)."""
    from usher_operator.processes.serve import serve as run

    settings = settings_or_exit()
    execute(run(settings))


@app.command("run")
def run_both() -> None:
    """Operate and serve in one process, for development."""
    from usher_operator.processes.both import run as run_all

    settings = settings_or_exit()
    execute(run_all(settings))


@db.command("upgrade")
def db_upgrade(
    wait_s: Annotated[float, typer.Option("--wait", min=0, help="Wait this many seconds for the server.")] = 60,
) -> None:
    """Create what is missing; an existing Vexa database is adopted without altering it."""

    def progress(state: RetryCallState) -> None:
        typer.echo(
            f"The database does not answer yet ({state.seconds_since_start or 0:.0f} s); trying again.", err=True
        )

    async def adopt(database: Database) -> list[str]:
        patiently = retry(
            retry=retry_if_exception_type(DatabaseUnavailable),
            stop=stop_after_delay(wait_s),
            wait=wait_fixed(2),
            before_sleep=progress,
            reraise=True,
        )
        return await patiently(upgrade.upgrade)(database)

    for line in execute(with_database(adopt)):
        typer.echo(line)


@db.command("check")
def db_check() -> None:
    """Say what keeps Usher from running on this database; exit 1 if anything does."""
    problems = execute(with_database(upgrade.check))
    for line in problems or ["The database is ready.", *execute(with_database(upgrade.describe))]:
        typer.echo(line)
    raise typer.Exit(1 if problems else 0)


@app.command()
def why(
    meeting_id: Annotated[int, typer.Argument(help="The meeting's id, as in `kubectl get br -o wide`.")],
    as_json: AsJson = False,
) -> None:
    """Tell the story of one meeting: every transition, who wrote it and why."""

    async def read(database: Database) -> tuple[bots.Bot | None, list[bots.Transition]]:
        async with database.transaction() as connection:
            bot = await bots.bot_by_id(connection, meeting_id)
            return bot, await bots.transitions(connection, meeting_id)

    bot, story = execute(with_database(read))
    if bot is None:
        fail(f"Meeting {meeting_id} is not one of Usher's.")
    if as_json:
        output.print_json([asdict(line) for line in story])
    else:
        output.print_story(bot, story)
        output.print_wishes(bot)


@app.command()
def follow(
    request: Annotated[list[str], typer.Argument(help="Names of BotRequests.")],
    until: Annotated[
        str, typer.Option(help="Stop when each has reached this status; `ended` is completed or failed.")
    ] = "ended",
    timeout_s: Annotated[float, typer.Option("--timeout", help="Give up after this many seconds; exit 1.")] = 600,
) -> None:
    """Print where bots are, a line for each change, as it happens."""

    async def watch(database: Database) -> bool:
        shown: dict[str, str] = {}
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            async with database.transaction() as connection:
                found = await bots.newest_bots_by_request(connection, request)
            for name, bot in found.items():
                line = output.progress_line(bot)
                if shown.get(name) != line:
                    typer.echo(f"{datetime.now(UTC):%H:%M:%S.%f}"[:-3] + f"  {line}")
                    shown[name] = line
            if len(found) == len(set(request)) and all(_reached(bot, until) for bot in found.values()):
                return True
            await asyncio.sleep(FOLLOW_INTERVAL_S)
        return False

    if not execute(with_database(watch)):
        fail(f"Not every bot was {until} within {timeout_s:g} s.")


def _reached(bot: bots.Bot, until: str) -> bool:
    return not bot.live or (until != "ended" and bot.status == until)


@app.command("bots")
def list_bots(as_json: AsJson = False) -> None:
    """List the bots that hold a slot."""

    async def read(database: Database) -> list[bots.Bot]:
        async with database.transaction() as connection:
            return await bots.live_bots(connection)

    live = execute(with_database(read))
    if as_json:
        output.print_json([output.public(bot) for bot in live])
    else:
        output.print_bots(live)


def main() -> None:
    """The console script."""
    app()
