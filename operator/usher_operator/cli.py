"""The `usher` command: what runs the control plane, prepares its database and shows its meetings.

Settings come from the environment (`USHER_…`). Exit codes: 0 done, 1 it failed, 2 wrong usage or settings.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import asdict
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from usher_models.db import accounts, meetings, schema
from usher_models.db.engine import Database
from usher_models.errors import UsherError
from usher_operator.settings import Settings, SettingsInvalid, load
from usher_operator.telemetry import configure_logging

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Usher runs meeting bots on Kubernetes.",
)
db = typer.Typer(no_args_is_help=True, help="Prepare and check the database.")
user = typer.Typer(no_args_is_help=True, help="Users and their limits.")
app.add_typer(db, name="db")
app.add_typer(user, name="user")

Result = TypeVar("Result")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command()
def operate() -> None:
    """Watch BotRequests, create Jobs and reconcile (one replica)."""
    from usher_operator.operate import operate as run

    settings = _settings()
    _run(run(settings))


@app.command()
def serve() -> None:
    """Serve callbacks of bots, health and metrics (any number of replicas)."""
    from usher_operator.serve import serve as run

    settings = _settings()
    _run(run(settings))


@app.command("run")
def run_both() -> None:
    """Operate and serve in one process, for development."""
    from usher_operator.development import run as run_all

    settings = _settings()
    _run(run_all(settings))


@db.command("upgrade")
def db_upgrade() -> None:
    """Create what is missing; an existing Vexa database is adopted without altering it."""
    for line in _run(_with_database(schema.upgrade)):
        typer.echo(line)


@db.command("check")
def db_check() -> None:
    """Say what keeps Usher from running on this database; exit 1 if anything does."""
    problems = _run(_with_database(schema.check))
    for line in problems or ["The database is ready.", *_run(_with_database(schema.describe))]:
        typer.echo(line)
    raise typer.Exit(1 if problems else 0)


@user.command("add")
def user_add(
    email: Annotated[str, typer.Argument(help="The user's e-mail address.")],
    max_concurrent_bots: Annotated[
        int, typer.Option("--max-concurrent-bots", "-n", min=0, help="The user's limit; 0 allows none.")
    ] = 3,
) -> None:
    """Create a user, or give an existing one another limit; prints the user's id."""

    async def add(database: Database) -> int:
        async with database.transaction() as connection:
            return await accounts.add_user(connection, email, max_concurrent_bots=max_concurrent_bots)

    typer.echo(_run(_with_database(add)))


@app.command()
def why(
    meeting_id: Annotated[int, typer.Argument(help="The meeting's id, as in `kubectl get br -o wide`.")],
    as_json: AsJson = False,
) -> None:
    """Tell the story of one meeting: every transition, who wrote it and why."""

    async def read(database: Database) -> tuple[meetings.Bot | None, list[meetings.Transition]]:
        async with database.transaction() as connection:
            bot = await meetings.bot_by_id(connection, meeting_id)
            return bot, await meetings.transitions(connection, meeting_id)

    bot, story = _run(_with_database(read))
    if bot is None:
        _fail(f"Meeting {meeting_id} is not one of Usher's.")
    if as_json:
        typer.echo(json.dumps([asdict(line) for line in story], default=str))
        return
    table = Table(
        title=f"Meeting {meeting_id} of user {bot.user_id}: {bot.status}. {bot.message}", title_justify="left"
    )
    for column in ("at (UTC)", "from", "to", "source", "reason", "detail"):
        table.add_column(column)
    for line in story:
        detail = ", ".join(f"{key}={value}" for key, value in line.detail.items())
        at = line.at.strftime("%H:%M:%S.%f")[:-3]
        table.add_row(at, line.origin or "", line.target, line.source, line.reason, detail)
    Console().print(table)


@app.command()
def bots(as_json: AsJson = False) -> None:
    """List the bots that hold a slot."""

    async def read(database: Database) -> list[meetings.Bot]:
        async with database.transaction() as connection:
            return await meetings.live_bots(connection)

    live = _run(_with_database(read))
    if as_json:
        typer.echo(json.dumps([_public(bot) for bot in live], default=str))
        return
    table = Table()
    for column in ("meeting", "user", "platform", "native id", "status", "stage", "request", "since (UTC)"):
        table.add_column(column)
    for bot in live:
        since = bot.status_changed_at.strftime("%Y-%m-%d %H:%M:%S")
        request = f"{bot.request_namespace}/{bot.request_name}" if bot.request_name else ""
        cells = (bot.meeting_id, bot.user_id, bot.platform, bot.native_id, bot.status, bot.stage or "", request, since)
        table.add_row(*map(str, cells))
    Console().print(table)


def _public(bot: meetings.Bot) -> dict[str, Any]:
    """A bot without what nobody needs to see: its configuration may hold a passcode."""
    return {key: value for key, value in asdict(bot).items() if key not in ("config", "spec")}


async def _with_database(work: Callable[[Database], Awaitable[Result]]) -> Result:
    database = Database.connect(_settings().database_url.get_secret_value(), pool_size=2, application_name="usher-cli")
    try:
        return await work(database)
    finally:
        await database.close()


def _settings() -> Settings:
    try:
        settings = load()
    except SettingsInvalid as exc:
        typer.echo(f"Usher cannot start; correct these settings:\n{exc}", err=True)
        raise typer.Exit(2) from exc
    configure_logging(log_format=settings.log_format, level=settings.log_level)
    return settings


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    try:
        return asyncio.run(work)
    except UsherError as exc:
        _fail(str(exc))
    except SQLAlchemyError as exc:
        _fail(f"The database refused: {str(getattr(exc, 'orig', exc)).strip()}")
    except OSError as exc:
        _fail(f"The operating system refused: {exc}")
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except BaseExceptionGroup as group:
        expected = group.subgroup(UsherError)
        if expected is None:
            raise
        _fail(str(_first(expected)))


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)


def main() -> None:
    """The console script."""
    app()
