"""How meetings look to a person in a terminal, and as JSON to a program. No view shows a configuration: it may hold a
passcode.

Everything that a user, a bot or Kubernetes wrote is shown as plain text: it is no markup, and its control characters
are made visible.
"""

import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

from usher_models.db.api_tokens import Token
from usher_models.db.bots import Bot, Transition
from usher_models.db.legacy_meetings import LegacyMeeting
from usher_models.db.meetings import Record
from usher_models.db.users import User
from usher_operator.api.schemas.accounts import TokenListed, UserResponse
from usher_operator.api.schemas.responses import MeetingResponse, TransitionResponse

# A pipe has no width of its own.
PIPE_WIDTH = 160
DETAIL_MAX_LENGTH = 400

Cell = object


def plain(value: object) -> str:
    """Text without terminal sequences: a control character is shown as its escape, and a line stays a line."""
    return "".join(_visible(character) for character in str(value))


def _visible(character: str) -> str:
    harmless = character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")
    return character if harmless else character.encode("unicode_escape").decode()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, drop: Sequence[str] = ()) -> None:
    """Print a table. Where it is wider than the terminal, the columns of `drop` go, the first ones first."""
    console = Console(width=_width(), highlight=False)
    cells = [["" if cell is None else plain(cell) for cell in row] for row in rows]
    kept = list(columns)
    for name in drop:
        if _needed(columns, cells, kept) <= console.width:
            break
        kept.remove(name)
    table = Table()
    for name in kept:
        table.add_column(name, overflow="fold", min_width=_longest_word(columns, cells, name))
    for row in cells:
        table.add_row(*(Text(row[columns.index(name)]) for name in kept))
    console.print(table)


def _needed(columns: Sequence[str], rows: Sequence[Sequence[str]], kept: Sequence[str]) -> int:
    """How many characters the table needs, so that no word is broken: the frame, and each column's longest word."""
    return 3 * len(kept) + 1 + sum(_longest_word(columns, rows, name) for name in kept)


def _longest_word(columns: Sequence[str], rows: Sequence[Sequence[str]], name: str) -> int:
    index = columns.index(name)
    return max(len(word) for text in (name, *(row[index] for row in rows)) for word in text.split())


def _width() -> int | None:
    return None if sys.stdout.isatty() else int(os.environ.get("COLUMNS", PIPE_WIDTH))


def print_line(line: str) -> None:
    """Print one line."""
    print(plain(line))  # noqa: T201 - this is what a view is for


def print_json(value: Any) -> None:
    """Print one JSON document. Models of the API keep its names, words and times."""
    print(json.dumps(value, default=_to_json))  # noqa: T201 - this is what a view is for


def _to_json(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, datetime):
        return _utc(value).isoformat().replace("+00:00", "Z")
    return str(value)


def meeting_json(record: Record) -> MeetingResponse:
    """A meeting, as the REST API answers it."""
    return MeetingResponse.of(record)


def bot_json(bot: Bot, record: Record) -> dict[str, Any]:
    """A bot's meeting, as the REST API answers it, its BotRequest, its driver, and how far its configuration is."""
    request = {"request_namespace": bot.request_namespace, "request_name": bot.request_name}
    about = {
        "connection_id": bot.connection_id,
        "driver": bot.driver,
        "config_generation": bot.config_generation,
        "applied_generation": bot.applied_generation,
    }
    return MeetingResponse.of(record).model_dump(mode="json") | request | about


def history_json(history: Sequence[Transition]) -> list[TransitionResponse]:
    """The transitions of a meeting, as the REST API answers them."""
    return [TransitionResponse.of(line) for line in history]


def user_json(user: User) -> dict[str, Any]:
    """A user, as the REST API answers it; without data, which may hold a secret."""
    return UserResponse.of(user).model_dump(mode="json", exclude={"data"})


def print_bots(bots: Sequence[Bot]) -> None:
    """Print the bots that hold a slot."""
    columns = ("meeting", "user", "platform", "native id", "status", "stage", "driver", "request", "since (UTC)")
    rows = ([*_cells(bot), _date(bot.status_changed_at)] for bot in bots)
    print_table(columns, rows, drop=("native id", "platform", "stage"))


def _cells(bot: Bot) -> list[Cell]:
    request = f"{bot.request_namespace}/{bot.request_name}" if bot.request_name else None
    return [bot.meeting_id, bot.user_id, bot.platform, bot.native_id, bot.status, bot.stage, bot.driver, request]


def print_meetings(records: Sequence[Record]) -> None:
    """Print meetings, and why each is where it is."""
    columns = ("meeting", "user", "platform", "native id", "status", "reason", "created (UTC)", "message")
    print_table(columns, map(_meeting_cells, records), drop=("native id", "platform", "message"))


def _meeting_cells(record: Record) -> list[Cell]:
    meeting = [record.id, record.user_id, record.platform, record.native_id]
    return [*meeting, record.status, record.reason, _date(record.created_at), record.message]


def print_history(bot: Bot, history: Sequence[Transition]) -> None:
    """Print every transition of one meeting, who wrote it and why: a line each, and its details below it."""
    print_line(f"Meeting {bot.meeting_id} of user {bot.user_id} is {bot.status}. {bot.message}")
    if bot.fault:
        print_line(f"Fault: {bot.fault}.")
    if bot.request_name:
        print_line(f"BotRequest {bot.request_namespace}/{bot.request_name}, Job {bot.job_name}.")
    for line in history:
        print_line(f"{_moment(line.at)}  {line.origin or '-'} → {line.target}  {line.source}: {line.reason}")
        for key, value in line.detail.items():
            print_line(_indented(f"{key}: {_short(value)}"))


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def print_desired_state(bot: Bot) -> None:
    """Print what the bot was asked to do, and whether it has done so."""
    if bot.leave_requested_at is not None:
        print_line(f"Asked to leave at {_moment(bot.leave_requested_at)} UTC: {bot.leave_reason}.")
    if bot.config_generation:
        print_line(f"Configuration {bot.config_generation} is wanted, {bot.applied_generation} is applied.")


def print_users(users: Sequence[User]) -> None:
    """Print users, their limits and their use."""
    columns = ("user", "email", "name", "limit", "used")
    rows = ((user.id, user.email, user.name, user.max_concurrent_bots, user.used) for user in users)
    print_table(columns, rows, drop=("name",))


def print_tokens(tokens: Sequence[Token]) -> None:
    """Print keys, without their secrets."""
    columns = ("token", "user", "name", "scopes", "stored", "created (UTC)", "expires (UTC)")
    print_table(columns, (_token_cells(token) for token in tokens), drop=("stored", "user", "created (UTC)"))


def _token_cells(token: Token) -> list[Cell]:
    scopes, stored = ", ".join(token.scopes) or "all", "hashed" if token.hashed else "plaintext"
    return [token.id, token.user_id, token.name, scopes, stored, _date(token.created_at), _date(token.expires_at)]


def print_legacy_meetings(found: Sequence[LegacyMeeting]) -> None:
    """Print the live rows of an older deployment."""
    columns = ("meeting", "email", "platform", "native id", "status", "container", "updated (UTC)")
    print_table(columns, map(_legacy_cells, found), drop=("container", "native id", "platform"))


def _legacy_cells(meeting: LegacyMeeting) -> list[Cell]:
    updated = _date(meeting.updated_at or meeting.created_at)
    place = [meeting.platform, meeting.native_id]
    return [meeting.id, meeting.email, *place, meeting.status, meeting.bot_container_id, updated]


def print_lost_bots(rows: Sequence[Sequence[Cell]]) -> None:
    """Print bots that run without a row, and what becomes of each."""
    print_table(("meeting", "user", "job", "request", "outcome", "why"), rows, drop=("job", "request"))


def progress_line(bot: Bot) -> str:
    """One line about where a bot is, for following it."""
    leaving = "" if bot.desired == "run" else f", asked to leave ({bot.leave_reason})"
    config = f", configuration {bot.applied_generation}/{bot.config_generation}" if bot.config_generation else ""
    stage = f"/{bot.stage}" if bot.stage else ""
    return plain(f"{bot.request_name or bot.meeting_id}: {bot.status}{stage}{leaving}{config}. {bot.message}")


def _short(value: object) -> str:
    """A value short enough to read: of a long one its begin and its end, where the cause stands."""
    text = "; ".join(map(str, value)) if isinstance(value, list) else str(value).strip()
    half = DETAIL_MAX_LENGTH // 2
    return text if len(text) <= DETAIL_MAX_LENGTH else f"{text[:half]} … {text[-half:]}"


def token_json(token: Token) -> dict[str, Any]:
    """A key, as the REST API answers it; without its secret."""
    return TokenListed.of(token).model_dump(mode="json")


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _date(at: datetime | None) -> str | None:
    return _utc(at).strftime("%Y-%m-%d %H:%M") if at else None


def _moment(at: datetime | None) -> str | None:
    return _utc(at).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] if at else None
