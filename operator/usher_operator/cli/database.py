"""`usher db` and `usher adopt-legacy`: prepare a database, check it, and end what an older deployment left behind."""

from typing import Annotated

import typer
from tenacity import RetryCallState, retry, retry_if_exception, stop_after_delay, wait_fixed

from usher_models.db import checks, legacy_meetings, upgrade
from usher_models.db.engine import Database
from usher_models.db.legacy_meetings import LegacyMeeting
from usher_models.errors import DatabaseForbids, DatabaseUnavailable
from usher_operator.cli import output
from usher_operator.cli.durations import Duration
from usher_operator.cli.runner import AsJson, execute, with_database

db = typer.Typer(no_args_is_help=True, help="Prepare and check the database.")


@db.command("upgrade")
def db_upgrade(
    wait_s: Annotated[float, typer.Option("--wait", min=0, help="Wait this many seconds for the server.")] = 60,
) -> None:
    """Create what is missing; an existing Vexa database is adopted without altering it."""

    async def adopt(database: Database) -> list[str]:
        patiently = retry(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_delay(wait_s),
            wait=wait_fixed(2),
            before_sleep=_report_wait,
            reraise=True,
        )
        return await patiently(upgrade.upgrade)(database)

    for line in execute(with_database(adopt)):
        typer.echo(line)


def _may_pass(error: BaseException) -> bool:
    """True if trying again may help; a missing privilege stays."""
    return isinstance(error, DatabaseUnavailable) and not isinstance(error, DatabaseForbids)


def _report_wait(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    typer.echo(f"Waiting for the database ({state.seconds_since_start or 0:.0f} s): {error}", err=True)


@db.command("check")
def db_check() -> None:
    """Say what keeps Usher from running on this database; exit 1 if anything does."""
    problems = execute(with_database(checks.check))
    for line in problems or ["The database is ready.", *execute(with_database(checks.describe))]:
        typer.echo(line)
    raise typer.Exit(1 if problems else 0)


def adopt_legacy(
    apply: Annotated[
        bool, typer.Option("--apply/--dry-run", help="End the meetings; --dry-run only lists them.")
    ] = False,
    only: Annotated[list[int] | None, typer.Option("--meeting", help="Only this meeting; may be repeated.")] = None,
    idle: Annotated[
        float, Duration("--idle", help="Only meetings without an update for this long, such as 30m or 2h.")
    ] = 3600,
    as_json: AsJson = False,
) -> None:
    """List live meetings that an older deployment left behind; end them with --apply when their bots are gone."""

    async def adopt(database: Database) -> list[LegacyMeeting]:
        async with database.transaction() as connection:
            found = await legacy_meetings.live_legacy_meetings(connection, idle_s=idle)
            chosen = [each for each in found if not only or each.id in only]
            if not apply:
                return chosen
            ids = [each.id for each in chosen]
            ended = await legacy_meetings.end_legacy_meetings(connection, ids, idle_s=idle)
            return [each for each in chosen if each.id in ended]

    found = execute(with_database(adopt))
    if as_json:
        output.print_json([vars(each) for each in found])
        return
    output.print_legacy_meetings(found)
    typer.echo(f"Ended {len(found)} meetings as failed." if apply else _advice(found, idle_s=idle))


def _advice(found: list[LegacyMeeting], *, idle_s: float) -> str:
    if not found:
        return f"No live meeting of an older deployment is left that had no update for {idle_s:g} s."
    return f"{len(found)} meetings hold slots. When their bots are gone, end them with `usher adopt-legacy --apply`."
