"""A mutant: one small change of one source file, and how it is named in the lists of this folder."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

Identity = tuple[str, str, str, str, str, str, int]


@dataclass(frozen=True, kw_only=True)
class Span:
    """A change as bytes of a file: `start` to `end` become `new`."""

    start: int
    end: int
    new: bytes


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One change. `scope` is the function, class or constant that it is in; `code` is the source line it begins on.

    `nth` tells apart changes that are otherwise named the same: two commas in one line, or one line twice.
    """

    path: str
    scope: str
    line: int
    last_line: int
    code: str
    old: str
    new: str
    span: Span
    nth: int = 0
    name: str = ""
    """The name of a mutant that is tried in every run; empty for one that is drawn."""
    is_sql: bool = False
    tests: tuple[str, ...] = ()
    """What to try it with, if it is said; else what runs its lines."""

    @property
    def key(self) -> tuple[str, str, str, str, str, int]:
        """What names it in the list of equivalents: everything but its place, which moves with the file."""
        return self.path, self.scope, self.code, self.old, self.new, self.nth

    @property
    def identity(self) -> Identity:
        """The same with the name."""
        return self.name, *self.key

    def applied(self, source: bytes) -> bytes:
        """The file with the change in it."""
        return source[: self.span.start] + self.span.new + source[self.span.end :]

    def __str__(self) -> str:
        shown = f"{self.path}:{self.line} {self.scope}: {one_line(self.old)} → {one_line(self.new)}"
        return f"{self.name}: {shown}" if self.name else shown


def one_line(code: str) -> str:
    """Code on one line, in quotes, and not longer than a line."""
    text = " ".join(code.split())
    return f"`{text if len(text) <= 60 else text[:57] + '...'}`"


def numbered(mutants: Iterable[Mutant]) -> list[Mutant]:
    """The same mutants, each with a key of its own."""
    seen: Counter[object] = Counter()
    result = []
    for mutant in mutants:
        result.append(replace(mutant, nth=seen[mutant.key]))
        seen[mutant.key] += 1
    return result
