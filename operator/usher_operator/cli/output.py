"""How meetings look to a person in a terminal, and as JSON to a program. No view ever shows a configuration: it may
hold a passcode."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from usher_models.db.api_tokens import Token
from usher_models.db.bots import Bot, Transition
from usher_models.db.users import User

# Wide enough for a story; a pipe has no width of its own.
PIPE_WIDTH = 160
DETAIL_MAX_LENGTH = 200


def print_table(title: str | None, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table as wide as it needs to be."""
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    width = None if sys.stdout.isatty() else int(os.environ.get("COLUMNS", PIPE_WIDTH))
    Console(width=width).print(table)


def print_json(value: Any) -> None:
    """Print JSON, one document."""
    print(json.dumps(value, default=str))  # noqa: T201 - this is what a view is for


def print_bots(bots: Sequence[Bot]) -> None:
    """The bots that hold a slot."""
    columns = ("meeting", "user", "platform", "native id", "status", "stage", "request", "since (UTC)")
    print_table(None, columns, ([*_cells(bot), _time(bot.status_changed_at)] for bot in bots))


def _cells(bot: Bot) -> list[object]:
    request = f"{bot.request_namespace}/{bot.request_name}" if bot.request_name else None
    return [bot.meeting_id, bot.user_id, bot.platform, bot.native_id, bot.status, bot.stage, request]


def print_story(bot: Bot, story: Sequence[Transition]) -> None:
    """Every transition of one meeting, who wrote it and why."""
    columns = ("seq", "at (UTC)", "from", "to", "source", "reason", "detail")
    print_table(
        f"Meeting {bot.meeting_id} of user {bot.user_id} is {bot.status}. {bot.message}",
        columns,
        (
            (line.seq, _time(line.at), line.origin, line.target, line.source, line.reason, _detail(line))
            for line in story
        ),
    )


def print_wishes(bot: Bot) -> None:
    """What was asked of the bot, and whether it obeyed."""
    if bot.leave_requested_at is not None:
        print_line(f"Asked to leave at {_time(bot.leave_requested_at)} UTC: {bot.leave_reason}.")
    if bot.config_generation:
        print_line(f"Configuration {bot.config_generation} was ordered, {bot.applied_generation} is applied.")


def print_line(line: str) -> None:
    """One line."""
    print(line)  # noqa: T201 - this is what a view is for


def print_users(users: Sequence[User]) -> None:
    """Users, their limits and their use."""
    print_table(
        None,
        ("user", "email", "name", "limit", "used"),
        ((user.id, user.email, user.name, user.max_concurrent_bots, user.used) for user in users),
    )


def print_tokens(tokens: Sequence[Token]) -> None:
    """Tokens, without their secrets."""
    print_table(
        None,
        ("token", "user", "name", "scopes", "stored", "created (UTC)", "expires (UTC)"),
        (
            (
                token.id,
                token.user_id,
                token.name,
                ", ".join(token.scopes) or "all",
                "hashed" if token.hashed else "plaintext",
                _date(token.created_at),
                _date(token.expires_at),
            )
            for token in tokens
        ),
    )


def _date(at: datetime | None) -> str | None:
    return at.strftime("%Y-%m-%d %H:%M") if at else None


def _detail(line: Transition) -> str:
    """What goes with a transition, short enough for a table; `--json` has all of it."""
    return "\n".join(f"{key}: {_short(value)}" for key, value in line.detail.items())


def _short(value: object) -> str:
    said = "; ".join(map(str, value)) if isinstance(value, list) else str(value).strip().rpartition("\n")[2]
    return said if len(said) <= DETAIL_MAX_LENGTH else f"{said[:DETAIL_MAX_LENGTH]}…"


def public(bot: Bot) -> dict[str, Any]:
    """A bot for a program, without what nobody needs to see."""
    return {key: value for key, value in asdict(bot).items() if key not in ("config", "spec")}


def public_user(user: User) -> dict[str, Any]:
    """A user for a program; the data may hold a secret."""
    return {key: value for key, value in asdict(user).items() if key != "data"}


def progress_line(bot: Bot) -> str:
    """One line about where a bot is, for following it."""
    wants = "" if bot.desired == "run" else f", asked to leave ({bot.leave_reason})"
    config = f", configuration {bot.applied_generation}/{bot.config_generation}" if bot.config_generation else ""
    stage = f"/{bot.stage}" if bot.stage else ""
    return f"{bot.request_name or bot.meeting_id}: {bot.status}{stage}{wants}{config}. {bot.message}"


def _time(at: datetime) -> str:
    return at.strftime("%H:%M:%S.%f")[:-3]
