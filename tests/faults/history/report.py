"""A verdict as figures of a fault run, and as sentences."""

from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from tests.faults.figures import Figure, at_least, exactly
from tests.faults.history.check import Verdict, check
from tests.faults.history.format import NoHistory, Record, lines, operations
from tests.faults.history.rules import RULES

# A promise that is broken once is broken a thousand times; the file has them all.
MOST_SAID = 20


def judge(path: Path) -> Verdict:
    """Check a file. Raises NoHistory."""
    return judged(lines(path))


def judged(records: Iterable[Record]) -> Verdict:
    """Check the lines of one. Raises NoHistory."""
    return check(operations(records))


def figures(verdict: Verdict, *, least: int, name: str = "history", idle: Collection[str] = ()) -> list[Figure]:
    """What a run is held to: enough was looked at, by each rule that may not be idle, and nothing found."""
    looking = [rule for rule in verdict.judged if rule.looked_at and rule.name not in idle]
    return [
        at_least(f"{name}: operations", verdict.operations, least),
        at_least(f"{name}: rules that looked at something", len(looking), len(RULES) - len(idle)),
        *(exactly(f"{name}: {rule.name}", len(rule.findings), 0) for rule in verdict.judged),
    ]


def say(verdict: Verdict, tell: Callable[[str], None]) -> None:
    """How much was looked at, and what was found."""
    tell(f"{verdict.operations:,} operations, {verdict.unknown:,} of them without a reply")
    for rule in verdict.judged:
        tell(f"{rule.name}: {len(rule.findings)} anomalies in {rule.looked_at:,} {rule.of}")
        for finding in rule.findings[:MOST_SAID]:
            tell(f"  {finding}")
        if len(rule.findings) > MOST_SAID:
            tell(f"  and {len(rule.findings) - MOST_SAID} more")


def figures_of_file(
    path: Path, *, least: int, tell: Callable[[str], None], name: str = "history", idle: Collection[str] = ()
) -> list[Figure]:
    """Check the file of a run that is over; one that is no whole history has looked at nothing."""
    try:
        verdict = judge(path)
    except NoHistory as exc:
        tell(f"{path}: {exc}")
        verdict = Verdict()
    say(verdict, tell)
    return figures(verdict, least=least, name=name, idle=idle)
