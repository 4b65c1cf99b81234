"""`usher why`, `follow`, `bots`, `meetings` and `leave`: what became of a meeting, for the person who is asked."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from usher_models.db import bots, meeting_search
from usher_models.db import evidence as evidence_rows
from usher_models.db.bots import Bot, Transition
from usher_models.db.engine import Database
from usher_models.db.evidence import Evidence
from usher_models.db.meeting_search import FAILED_STATUSES, LIVE_STATUSES, Search
from usher_models.db.meetings import Record
from usher_models.errors import EvidenceNotReady, NoEvidence
from usher_models.states import Reason
from usher_operator.cli import output
from usher_operator.cli.checked import checked
from usher_operator.cli.durations import Duration
from usher_operator.cli.evidence import print_evidence
from usher_operator.cli.runner import AsJson, execute, fail, settings_or_exit, with_database

Until = Literal["ended", "reserved", "starting", "active", "stopping", "completed", "failed"]
# How often `usher follow` reads.
FOLLOW_INTERVAL_S = 0.3

Name = Annotated[str, typer.Argument(help="A BotRequest's name or namespace/name, a meeting's id, or a connection id.")]


def why(
    name: Name,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Of a failed meeting, all that was known soon after its end.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Tell the history of one meeting: every transition, who wrote it and why."""
    if evidence:
        _print_evidence(name, as_json=as_json)
    else:
        _print_history(name, as_json=as_json)


def _print_evidence(name: str, *, as_json: bool) -> None:
    async def read(database: Database) -> tuple[Bot | None, Evidence | None]:
        async with database.transaction() as connection:
            bot = await meeting_search.bot_named(connection, name)
            return bot, await evidence_rows.read(connection, bot.meeting_id) if bot else None

    bot, found = execute(with_database(read))
    if bot is None:
        fail(_unknown(name))
    if found is None:
        fail(str(NoEvidence()))
    if found.bundle is None:
        fail(str(EvidenceNotReady()))
    if as_json:
        output.print_json(found.bundle)
    else:
        print_evidence(found.bundle)


def _print_history(name: str, *, as_json: bool) -> None:

    async def read(database: Database) -> tuple[Bot | None, list[Transition]]:
        async with database.transaction() as connection:
            bot = await meeting_search.bot_named(connection, name)
            return bot, await bots.transitions(connection, bot.meeting_id) if bot else []

    bot, history = execute(with_database(read))
    if bot is None:
        fail(_unknown(name))
    if as_json:
        output.print_json(output.history_json(history))
    else:
        output.print_history(bot, history)
        output.print_desired_state(bot)


def _unknown(name: str) -> str:
    return (
        f"{name} is no meeting of Usher's: name a BotRequest, or a meeting by its id or connection id."
        " `usher meetings` lists them."
    )


def follow(
    request: Annotated[list[str], typer.Argument(help="Names of BotRequests, or namespace/name.")],
    until: Annotated[
        str,
        typer.Option(
            help="Stop when each has reached this status; `ended` is completed or failed.", callback=checked(Until)
        ),
    ] = "ended",
    timeout_s: Annotated[float, typer.Option("--timeout", help="Give up after this many seconds; exit 1.")] = 600,
) -> None:
    """Print where bots are, a line for each change, as it happens."""

    async def watch(database: Database) -> bool:
        shown: dict[str, str] = {}
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            async with database.transaction() as connection:
                bots_named = {name: await meeting_search.bot_named(connection, name) for name in request}
            found = {name: bot for name, bot in bots_named.items() if bot is not None}
            _print_changes(found, shown)
            if len(found) == len(set(request)) and all(_reached(bot, until) for bot in found.values()):
                return True
            await asyncio.sleep(FOLLOW_INTERVAL_S)
        return False

    if not execute(with_database(watch)):
        fail(f"Not every bot was {until} within {timeout_s:g} s.")


def _print_changes(found: dict[str, Bot], shown: dict[str, str]) -> None:
    for name, bot in found.items():
        line = output.progress_line(bot)
        if shown.get(name) != line:
            typer.echo(f"{datetime.now(UTC):%H:%M:%S.%f}"[:-3] + f"  {line}")
            shown[name] = line


def _reached(bot: Bot, until: str) -> bool:
    return not bot.live or (until != "ended" and bot.status == until)


def list_bots(as_json: AsJson = False) -> None:
    """List the bots that hold a slot."""

    async def read(database: Database) -> tuple[list[Bot], list[Record]]:
        async with database.transaction() as connection:
            live = await bots.live_bots(connection)
            return live, await meeting_search.by_ids(connection, [bot.meeting_id for bot in live])

    live, records = execute(with_database(read))
    if as_json:
        output.print_json([output.bot_json(bot, record) for bot, record in zip(live, records, strict=True)])
    else:
        output.print_bots(live)


def list_meetings(
    user: Annotated[str | None, typer.Option(help="Only of the user with this e-mail address.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only those that failed.")] = False,
    live: Annotated[bool, typer.Option("--live", help="Only those that hold a slot.")] = False,
    since: Annotated[
        float | None, Duration("--since", help="Only those created within this time, such as 1h or 7d.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most this many, the newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List meetings, the newest first, with the reason of each."""
    statuses = (FAILED_STATUSES if failed else ()) + (LIVE_STATUSES if live else ())

    async def read(database: Database) -> list[Record]:
        async with database.transaction() as connection:
            which = Search(email=user, statuses=statuses, since_s=since, limit=limit)
            return await meeting_search.search(connection, which)

    found = execute(with_database(read))
    if as_json:
        output.print_json([output.meeting_json(record) for record in found])
    else:
        output.print_meetings(found)


def leave(
    name: Annotated[list[str], typer.Argument(help="BotRequests by name or namespace/name, or meetings by id.")],
) -> None:
    """Ask bots to leave their meetings; exit 1 if one of the names is unknown or its meeting is over."""

    async def ask(database: Database) -> list[str]:
        found = {each: await _named(database, each) for each in name}
        live = [bot for bot in found.values() if bot is not None and bot.live]
        await _ask_to_leave(database, live)
        return [_outcome(each, bot) for each, bot in found.items()]

    lines = execute(with_database(ask))
    for line in lines:
        output.print_line(line)
    raise typer.Exit(0 if all("was asked" in line for line in lines) else 1)


async def _named(database: Database, name: str) -> Bot | None:
    async with database.reading() as connection:
        return await meeting_search.bot_named(connection, name)


async def _ask_to_leave(database: Database, live: Sequence[Bot]) -> int:
    # The client of Redis is imported where it is needed: other commands start sooner without it.
    from usher_operator.lifecycle.commands import Commander, RedisPublisher

    publisher = RedisPublisher.connect(settings_or_exit().redis_url.get_secret_value())
    try:
        return await Commander(database, publisher).leave(live, reason=Reason.STOPPED)
    finally:
        await publisher.close()


def _outcome(name: str, bot: Bot | None) -> str:
    if bot is None:
        return _unknown(name)
    if not bot.live:
        return f"Meeting {bot.meeting_id} is {bot.status} already. {bot.message}"
    return f"The bot of meeting {bot.meeting_id} was asked to leave."
