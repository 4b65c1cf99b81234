"""What every command does alike: read the settings, open the database, and end with a sentence and an exit code.

Exit codes: 0 done, 1 it failed, 2 wrong usage or settings.
"""

import gc
from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any, NoReturn

import typer
import uvloop
from sqlalchemy.exc import SQLAlchemyError

from usher_models.db.engine import Database
from usher_models.errors import UsherError
from usher_operator.processes.database import open_database
from usher_operator.settings import Settings, SettingsInvalid, load
from usher_operator.telemetry import configure_logging

# Allocations, and collections of the generation before, until one looks for cycles again. Python looks through
# everything only when a fourth of it is new, however often it comes to the question.
COLLECT_AFTER = (50_000, 20, 10)


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


async def with_database[Result](work: Callable[[Database], Awaitable[Result]]) -> Result:
    """Do `work` on the database of the settings."""
    database = open_database(settings_or_exit(), name="usher-cli", pool_size=2)
    try:
        return await work(database)
    finally:
        await database.close()


def service_settings_or_exit() -> Settings:
    """The settings of a process that goes on, with logging as they say; wrong ones end the command."""
    settings = settings_or_exit()
    configure_logging(log_format=settings.log_format, level=settings.log_level)
    return settings


def settings_or_exit() -> Settings:
    """The settings of a command, which reports to its user and logs warnings only; wrong ones end the command."""
    try:
        settings = load()
    except SettingsInvalid as exc:
        typer.echo(f"Usher cannot start; correct these settings:\n{exc}", err=True)
        raise typer.Exit(2) from exc
    configure_logging(log_format="text", level="WARNING")
    return settings


def execute[Result](work: Coroutine[Any, Any, Result]) -> Result:
    """Do `work`; what goes wrong ends the command with a sentence."""
    try:
        _collect_seldom()
        return uvloop.run(work)
    except UsherError as exc:
        fail(str(exc))
    except SQLAlchemyError as exc:
        fail(f"The database refused: {str(getattr(exc, 'orig', exc)).strip()}")
    except OSError as exc:
        fail(f"The operating system refused: {exc}")
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except BaseExceptionGroup as group:
        expected = group.subgroup(UsherError)
        if expected is None:
            raise
        fail(str(_first(expected)))


def _collect_seldom() -> None:
    """Look for garbage in cycles less often: what serves thousands of bots keeps much that is none, and by default a
    third of its time went into looking through that."""
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner


def fail(message: str) -> NoReturn:
    """Say why it failed, and end the command."""
    typer.echo(message, err=True)
    raise typer.Exit(1)
