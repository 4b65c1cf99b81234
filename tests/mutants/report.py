"""What came of the mutants, in words and figures."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.mutants.lists import Plan
from tests.mutants.mutant import Identity, Mutant


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a mutant; `tests` of 0 means that no test runs its lines."""

    killed: bool
    killer: str
    took_s: float
    tests: int

    def of(self, mutant: Mutant) -> "Result":
        """The same, with the mutant."""
        return Result(mutant=mutant, **asdict(self))


@dataclass(frozen=True, kw_only=True)
class Result(Outcome):
    """What came of one mutant."""

    mutant: Mutant


def write(path: Path, results: list[Result], more: Mapping[Identity, Outcome]) -> None:
    """Write down what came of each mutant; `more` is what is known of others."""
    known = dict(more) | {result.mutant.identity: result for result in results}
    entries = [
        {"identity": identity, **{name: getattr(outcome, name) for name in ("killed", "killer", "took_s", "tests")}}
        for identity, outcome in known.items()
    ]
    path.write_text(json.dumps(entries, indent=1) + "\n")


def read(path: Path) -> dict[Identity, Outcome]:
    """What the last run wrote down."""
    entries = json.loads(path.read_text()) if path.exists() else []
    return {tuple(entry.pop("identity")): Outcome(**entry) for entry in entries}


def passes(results: list[Result], plan: Plan) -> bool:
    """True if enough of those that were drawn were killed, and each one that has a name."""
    drawn = [result for result in results if not result.mutant.name]
    return all(result.killed for result in results if result.mutant.name) and (
        _share(drawn) >= plan.killed_at_least if drawn else True
    )


def _share(results: list[Result]) -> float:
    return sum(result.killed for result in results) / len(results)


def lines(results: list[Result], plan: Plan) -> Iterator[str]:
    """The survivors, and how many of each kind were killed."""
    for result in results:
        if not result.killed:
            yield from _survivor(result)
    yield ""
    drawn = [result for result in results if not result.mutant.name]
    yield from _counted("named, tried in every run", [result for result in results if result.mutant.name], "all")
    yield from _counted("drawn", drawn, f"at least {plan.killed_at_least:.0%}")
    yield from _counted("  of these in the program", [result for result in drawn if not result.mutant.is_sql])
    yield from _counted("  of these in SQL", [result for result in drawn if result.mutant.is_sql])


def _survivor(result: Result) -> Iterator[str]:
    yield f"SURVIVED {result.mutant}"
    yield f"    where: {result.mutant.path}:{result.mutant.scope}"
    yield f"    code: {result.mutant.code}"
    if result.mutant.nth:
        yield f"    nth: {result.mutant.nth}"
    yield f"    tests: {result.tests or 'NONE runs it'}"


def _counted(what: str, results: list[Result], wanted: str = "") -> Iterator[str]:
    if results:
        killed = sum(result.killed for result in results)
        yield f"{what}: {killed} of {len(results)} killed, {killed / len(results):.1%}" + (
            f" (to be killed: {wanted})" if wanted else ""
        )
