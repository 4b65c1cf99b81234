"""The `usher` command: what runs the control plane, prepares its database and shows its meetings.

Settings come from the environment (`USHER_…`). Exit codes: 0 done, 1 it failed, 2 wrong usage or settings.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from sqlalchemy.exc import SQLAlchemyError
from tenacity import RetryCallState, retry, retry_if_exception_type, stop_after_delay, wait_fixed

from usher_models.db import accounts, meetings, schema
from usher_models.db.engine import Database
from usher_models.errors import DatabaseUnavailable, UsherError
from usher_operator import views
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
# How often `usher follow` looks.
FOLLOW_INTERVAL_S = 0.3

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
def db_upgrade(
    wait_s: Annotated[float, typer.Option("--wait", min=0, help="Wait this many seconds for the server.")] = 60,
) -> None:
    """Create what is missing; an existing Vexa database is adopted without altering it."""

    def progress(state: RetryCallState) -> None:
        typer.echo(
            f"The database does not answer yet ({state.seconds_since_start or 0:.0f} s); trying again.", err=True
        )

    async def upgrade(database: Database) -> list[str]:
        patiently = retry(
            retry=retry_if_exception_type(DatabaseUnavailable),
            stop=stop_after_delay(wait_s),
            wait=wait_fixed(2),
            before_sleep=progress,
            reraise=True,
        )
        return await patiently(schema.upgrade)(database)

    for line in _run(_with_database(upgrade)):
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
        views.print_json([asdict(line) for line in story])
    else:
        views.print_story(bot, story)


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
                found = await meetings.newest_bots_by_request(connection, request)
            for name, bot in found.items():
                line = views.progress_line(bot)
                if shown.get(name) != line:
                    typer.echo(f"{datetime.now(UTC):%H:%M:%S.%f}"[:-3] + f"  {line}")
                    shown[name] = line
            if len(found) == len(set(request)) and all(_reached(bot, until) for bot in found.values()):
                return True
            await asyncio.sleep(FOLLOW_INTERVAL_S)
        return False

    if not _run(_with_database(watch)):
        _fail(f"Not every bot was {until} within {timeout_s:g} s.")


def _reached(bot: meetings.Bot, until: str) -> bool:
    return not bot.live or (until != "ended" and bot.status == until)


@app.command()
def bots(as_json: AsJson = False) -> None:
    """List the bots that hold a slot."""

    async def read(database: Database) -> list[meetings.Bot]:
        async with database.transaction() as connection:
            return await meetings.live_bots(connection)

    live = _run(_with_database(read))
    if as_json:
        views.print_json([views.public(bot) for bot in live])
    else:
        views.print_bots(live)


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
