"""Which tests a mutant is tried with: those that run its lines.

What stands outside functions, such as the text of a statement, runs once when it is imported. Its tests are those of
the functions that use its name, directly or through other names of that kind.
"""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from coverage import CoverageData

from tests.mutants.mutant import Mutant
from tests.mutants.source import Scoped, Source

type Lines = tuple[str, range]


@dataclass
class CoverageMap:
    """What one run of all tests said: `_contexts` by file and line, and each test's seconds."""

    sources: dict[str, Source]
    _contexts: dict[str, dict[int, set[str]]]
    seconds: dict[str, float]
    _users: dict[tuple[str, str], set[Lines]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path, sources: dict[str, Source]) -> "CoverageMap":
        """The map that `measure` left in a folder."""
        data = CoverageData(str(folder / "data"))
        data.read()
        contexts = {
            path: {line: {_test(one) for one in found if one} for line, found in data.contexts_by_lineno(path).items()}
            for path in sources
        }
        seconds: dict[str, float] = {}
        for test, each in json.loads((folder / "seconds.json").read_text()).items():
            seconds[_test(test)] = seconds.get(_test(test), 0.0) + each
        return cls(sources, contexts, seconds)

    def nearest(self, mutant: Mutant, *, within_s: float) -> list[str]:
        """The tests to try a mutant with: as many of `tests_of` as take that long together, and at least one."""
        tests = self.tests_of(mutant)
        ends = accumulate(self.seconds.get(test, 0.0) for test in tests)
        return [test for place, (test, end) in enumerate(zip(tests, ends, strict=True)) if not place or end <= within_s]

    def tests_of(self, mutant: Mutant) -> list[str]:
        """The tests that run what a mutant changes, those that will most likely kill it first."""
        if mutant.tests:
            return list(mutant.tests)
        tests = self._at((mutant.path, self._statement(mutant)))
        if not tests:
            tests = {test for lines in self._users_of(mutant.path, mutant.scope) for test in self._at(lines)}
        near = _nearness(mutant.path)
        return sorted(tests, key=lambda test: (-near(test), self.seconds.get(test, 0.0), test))

    def _at(self, lines: Lines) -> set[str]:
        path, span = lines
        contexts = self._contexts.get(path, {})
        return {test for line in span for test in contexts.get(line, ())}

    def _statement(self, mutant: Mutant) -> range:
        """The lines of the innermost statement around a mutant; of a compound one only what stands before its body."""
        found = range(mutant.line, mutant.last_line + 1)
        for node in ast.walk(self.sources[mutant.path].tree):
            if isinstance(node, ast.stmt) and node.lineno <= mutant.line <= (node.end_lineno or 0):
                found = range(node.lineno, _last_line(node) + 1)
        return found

    def _users_of(self, path: str, scope: str) -> set[Lines]:
        """The functions that use a name, in the file itself if it is private, else anywhere."""
        name = scope.split(".")[0]
        if (path, name) in self._users:
            return self._users[path, name]
        users = self._users[path, name] = set()
        files = [path] if name.startswith("_") else self.sources
        for file in files:
            for lines, user in _uses(self.sources[file], name):
                users |= {lines} if user is None else self._users_of(file, user)
        return users


def _last_line(node: ast.stmt) -> int:
    body = getattr(node, "body", None)
    if isinstance(body, list) and body and not isinstance(node, Scoped):
        return int(max(node.lineno, body[0].lineno - 1))
    return node.end_lineno or node.lineno


def _uses(source: Source, name: str) -> Iterator[tuple[Lines, str | None]]:
    """The functions of a file that use a name, and the constants whose values do."""
    for node in source.tree.body:
        if not _mentions(node, name):
            continue
        if isinstance(node, Scoped):
            yield (source.path, range(node.lineno + 1, (node.end_lineno or node.lineno) + 1)), None
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name) and target.id != name:
                    yield (source.path, range(0)), target.id


def _mentions(node: ast.stmt, name: str) -> bool:
    own = isinstance(node, Scoped) and node.name == name
    return own or any(
        (isinstance(each, ast.Name) and each.id == name) or (isinstance(each, ast.Attribute) and each.attr == name)
        for each in ast.walk(node)
    )


def _test(context: str) -> str:
    """A test function; its parameters and phases belong together."""
    return context.partition("[")[0].partition("|")[0]


def _nearness(path: str) -> "_Nearness":
    folder, _, name = path.removesuffix(".py").rpartition("/")
    return _Nearness(of_module=_words(name), of_folder=_words(folder))


@dataclass(frozen=True)
class _Nearness:
    """How much of a module's name is in a test's: what a file is called says more than where it lies."""

    of_module: frozenset[str]
    of_folder: frozenset[str]

    def __call__(self, test: str) -> int:
        file, _, function = test.partition("::")
        folder, _, name = file.removesuffix(".py").rpartition("/")
        return (
            4 * len(self.of_module & (_words(name) | _words(folder)))
            + len(self.of_folder & _words(folder))
            + len(self.of_module & _words(function))
        )


def _words(name: str) -> frozenset[str]:
    return frozenset(word.removesuffix("s") for word in re.findall(r"[a-z]+", name)) - {"test", "unit", "integration"}
