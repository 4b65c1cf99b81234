"""Durations as a person types them: `90`, `90s`, `30m`, `2h` or `7d`."""

import re
from typing import Any

import typer

UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
# What Postgres can take from any date of a meeting.
LONGEST_S = 36_500 * 86_400
_PATTERN = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhd]?)")


def parse_duration(value: object) -> float:
    """The seconds of a duration. Raises typer.BadParameter."""
    match = _PATTERN.fullmatch(str(value).strip())
    if match is None:
        raise typer.BadParameter(f"{value!r} is no duration; write 90s, 30m, 2h or 7d.")
    seconds = float(match[1]) * UNITS_S[match[2]]
    if seconds > LONGEST_S:
        raise typer.BadParameter(f"{value!r} is over {LONGEST_S // UNITS_S['d']} days.")
    return seconds


def Duration(name: str, *, help: str) -> Any:  # noqa: A002, N802 - stands beside typer.Option
    """An option that takes a duration; the value is seconds."""
    return typer.Option(name, help=help, parser=parse_duration, metavar="DURATION")
