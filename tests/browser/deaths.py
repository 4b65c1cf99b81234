"""`python -m tests.browser.deaths REPORT.xml`: the table of deaths, from what the tests noted in pytest's report.

With --write it goes into docs/evidence/browser.md. A death that no test noted the end of counts as not noticed.
"""

import argparse
import statistics
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

from dev.machine.commands import run
from tests.load import evidence

Notes = dict[str, str]


@dataclass
class Row:
    """All deaths of one way."""

    name: str
    expected: str
    within_s: float
    times: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    after_s: list[float] = field(default_factory=list)

    def add(self, notes: Notes) -> None:
        """One death."""
        self.times += 1
        self.reasons[notes.get("reason", "not noticed")] += 1
        if "after_s" in notes:
            self.after_s.append(float(notes["after_s"]))

    def cells(self) -> list[str]:
        """The row of the table."""
        in_time = sum(after_s < self.within_s for after_s in self.after_s)
        middle = f"{statistics.median(self.after_s):.1f} s" if self.after_s else ""
        slowest = f"{max(self.after_s):.1f} s" if self.after_s else ""
        given = ", ".join(f"`{reason}` {count}" for reason, count in self.reasons.most_common())
        exact = f"{self.reasons[self.expected]} of {self.times} ({self.reasons[self.expected] / self.times:.0%})"
        bound = f"{in_time} of {self.times} within {self.within_s:g} s"
        return [self.name, f"{self.times}", bound, middle, slowest, given, exact]


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 if there was no death in the report."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser.deaths", description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("--write", action="store_true", help="write docs/evidence/browser.md")
    options = parser.parse_args(arguments)
    rows = collect(noted(options.report))
    if not rows:
        print(f"browser-deaths: {options.report} tells of no death", file=sys.stderr)
        return 1
    chromium = run(["/usr/bin/chromium", "--version"]).strip()
    machine = evidence.machine(chromium, f"Playwright {version('playwright')}")
    lines = [machine, "", f"`make browser-deaths TIMES={max(row.times for row in rows)}`.", "", *table(rows)]
    print("\n".join(lines))
    if options.write:
        evidence.write("browser.md", lines, part="deaths")
    return 0


def noted(report: Path) -> Iterator[Notes]:
    """What each test noted of its death. A worker of xdist may report a test twice."""
    seen: dict[tuple[str | None, str | None], Notes] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        notes = {it.get("name", ""): it.get("value", "") for it in case.iter("property")}
        if "death" in notes:
            seen[case.get("classname"), case.get("name")] = notes
    yield from seen.values()


def collect(deaths: Iterator[Notes]) -> list[Row]:
    """One row for each way, in the order of the tests."""
    rows: dict[str, Row] = {}
    for notes in deaths:
        name = notes["death"]
        row = rows.setdefault(name, Row(name, notes["expected"], float(notes["within_s"])))
        row.add(notes)
    return list(rows.values())


def table(rows: list[Row]) -> list[str]:
    """In Markdown."""
    head = ["what dies", "times", "noticed in time", "p50", "slowest", "reasons given", "exactly the expected one"]
    lines = [f"| {' | '.join(head)} |", "|---|---|---|---|---|---|---|"]
    return [*lines, *(f"| {' | '.join(row.cells())} |" for row in rows)]


if __name__ == "__main__":
    sys.exit(main())
