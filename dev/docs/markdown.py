"""Markdown in the form that all generated pages share."""

from collections.abc import Iterable, Sequence


def head(title: str, text: str) -> str:
    """The beginning of a page."""
    return f"# {title}\n\n{text.strip()}\n\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a cell may hold Markdown, but no line break."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(cell(value) for value in line)} |\n" for line in lines) + "\n"


def cell(text: str) -> str:
    """Text that may stand in a table."""
    return " ".join(text.split()).replace("|", "\\|")


def code(text: object) -> str:
    """Text in a fixed width; nothing for an empty one."""
    return f"`{text}`" if f"{text}" else ""


def codes(values: Iterable[object]) -> str:
    """Words of a program, one after another."""
    return ", ".join(code(value) for value in values)
