"""What is written down about mutants: what to try, those that are tried always, and those that change nothing.

A list that no longer fits the code is an error: an entry that names nothing would hide what it was written for.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from dev.machine.errors import MisuseError
from tests.mutants import python_changes, sql_changes
from tests.mutants.mutant import Mutant
from tests.mutants.source import Source

FOLDER = Path(__file__).parent
DATABASE = "models/usher_models/db/"
PACKAGES = ("models/usher_models", "operator/usher_operator", "bot_runtime/usher_bot")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The contents of mutants.yaml."""

    sample: int
    killed_at_least: float
    test_timeout_s: float
    mutant_timeout_s: float
    tests_s: float
    modules: list[str]


def plan() -> Plan:
    """What to try, and what it takes to pass."""
    return Plan(**_read("mutants.yaml"))


def sources(root: Path) -> dict[str, Source]:
    """Every file of the three packages, by its path."""
    files = [file for package in PACKAGES for file in sorted((root / package).rglob("*.py"))]
    paths = {str(file.relative_to(root)): file for file in files}
    return {path: Source(path, file.read_bytes()) for path, file in paths.items()}


def all_mutants(root: Path, modules: list[str], known: dict[str, Source]) -> list[Mutant]:
    """Every mutant of the modules, equivalent ones too."""
    paths = sorted({str(file.relative_to(root)) for glob in modules for file in root.glob(glob)})
    return [mutant for path in paths for mutant in mutants_of(known[path])]


def mutants_of(source: Source) -> list[Mutant]:
    """Every mutant of one file."""
    found = python_changes.mutants(source)
    return found + sql_changes.mutants(source) if source.path.startswith(DATABASE) else found


def named(known: dict[str, Source]) -> list[Mutant]:
    """The mutants of named.yaml, which are tried in every run."""
    return [_named(entry, known) for entry in _read("named.yaml")]


def _named(entry: dict[str, Any], known: dict[str, Source]) -> Mutant:
    source, old = known.get(entry["path"]), entry["old"].encode()
    if source is None or source.raw.count(old) != 1:
        raise MisuseError(f"named.yaml: {entry['name']!r} is not, or not once, in {entry['path']}.")
    start = source.raw.index(old)
    mutant = source.mutant(start, start + len(old), entry["new"].encode(), is_sql=bool(entry.get("sql")))
    return replace(mutant, name=entry["name"], tests=tuple(entry.get("tests", ())))


def without_equivalents(mutants: list[Mutant]) -> list[Mutant]:
    """The mutants that are not in equivalent.yaml."""
    by_key = {mutant.key: mutant for mutant in mutants}
    for entry in _read("equivalent.yaml"):
        path, _, scope = entry["where"].partition(":")
        key = (path, scope, entry["code"], entry["old"], entry["new"], entry.get("nth", 0))
        if by_key.pop(key, None) is None:
            raise MisuseError(f"equivalent.yaml names a mutant that is none: {entry['where']}: {entry['code']}")
    return list(by_key.values())


def _read(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text()) or []
