"""Tables that fault runs write into the pages of docs/, between two comments that name them."""

from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def markers(name: str) -> tuple[str, str]:
    """The comments between which the part `name` stands."""
    return f"<!-- {name}: written by make faults -->\n", f"<!-- {name}: end -->\n"


def write(page: str, name: str, text: str) -> None:
    """Replace a part of a page. Raises ValueError when the page has no such part."""
    path = DOCS / page
    whole = path.read_text()
    begin, end = markers(name)
    before, found, rest = whole.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{path} has no part {name!r} between its two comments.")
    path.write_text(f"{before}{begin}\n{text.strip()}\n\n{end}{after}")


def read(page: str, name: str) -> str:
    """A part of a page; empty when there is none."""
    begin, end = markers(name)
    return (DOCS / page).read_text().partition(begin)[2].partition(end)[0].strip()
