"""The shell commands of a page, in the order in which a reader types them, each with what the page says it prints."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<body>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL)
# A word in capitals stands for a value of the reader's own.
_OWN_VALUE = re.compile(r"\b(?:REGISTRY|HOST|ID|VERSION)\b")


@dataclass(frozen=True, kw_only=True)
class Typed:
    """A command, and the lines that the page prints below it; none if the page does not show them."""

    command: str
    prints: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """True if it can be typed as it stands, without a value of the reader's own."""
        return not _OWN_VALUE.search(self.command)


def commands(page: Path) -> list[Typed]:
    """The commands of all shell blocks of a page."""
    return [typed for block in _FENCE.finditer(page.read_text()) for typed in _of_block(block)]


def _of_block(block: re.Match[str]) -> Iterator[Typed]:
    lines = [line.removeprefix(block["indent"]) for line in block["body"].splitlines()]
    if block["language"] == "sh":
        yield from (Typed(command=command) for command in _joined(lines))
    elif block["language"] == "console":
        yield from _of_session(lines)


def _of_session(lines: list[str]) -> Iterator[Typed]:
    starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        command = next(_joined([lines[start].removeprefix("$ "), *lines[start + 1 : end]]))
        shown = lines[start + command.count("\n") + 1 : end]
        yield Typed(command=command, prints=tuple(line for line in shown if line.strip()))


def _joined(lines: list[str]) -> Iterator[str]:
    """Commands, of which one may take several lines: by a backslash, or by a quote that is still open."""
    command = ""
    for line in lines:
        command = f"{command}\n{line}" if command else line
        if command.strip() and not command.endswith("\\") and command.count("'") % 2 == 0:
            yield command
            command = ""
