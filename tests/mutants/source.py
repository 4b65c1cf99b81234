"""A source file: its bytes, its syntax tree, and what encloses each line."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate

from tests.mutants.mutant import Mutant, Span

Scoped = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Positioned = ast.expr | ast.stmt | ast.ExceptHandler


@dataclass(frozen=True)
class Source:
    """One file. Columns of `ast` count bytes, so everything here does."""

    path: str
    raw: bytes
    _starts: list[int] = field(init=False)

    def __post_init__(self) -> None:
        lines = self.raw.splitlines(keepends=True)
        object.__setattr__(self, "_starts", [0, *accumulate(len(line) for line in lines)])

    @cached_property
    def tree(self) -> ast.Module:
        """The file's syntax tree."""
        return ast.parse(self.raw)

    @cached_property
    def scopes(self) -> list[tuple[int, int, str]]:
        """First line, last line and name of all that has a name, inner ones last."""
        return list(_scopes(self.tree, ()))

    def scope_of(self, line: int) -> str:
        """The innermost function, class or constant around a line."""
        return next((name for first, last, name in reversed(self.scopes) if first <= line <= last), "")

    def offset(self, line: int, column: int) -> int:
        """The place of a line and column among the file's bytes."""
        return self._starts[line - 1] + column

    def line_at(self, offset: int) -> int:
        """The line of a byte."""
        return self.raw.count(b"\n", 0, offset) + 1

    def start(self, node: Positioned) -> int:
        """Where a node begins."""
        return self.offset(node.lineno, node.col_offset)

    def end(self, node: Positioned) -> int:
        """Where a node ends."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.offset(node.end_lineno, node.end_col_offset)

    def text(self, node: Positioned) -> bytes:
        """A node as it is written."""
        return self.raw[self.start(node) : self.end(node)]

    def mutant(self, start: int, end: int, new: bytes, *, is_sql: bool = False) -> Mutant:
        """The mutant in which those bytes become `new`."""
        line = self.line_at(start)
        code = self.raw[self._starts[line - 1] : self._starts[line]].decode().strip()
        return Mutant(
            path=self.path,
            scope=self.scope_of(line),
            line=line,
            last_line=self.line_at(max(start, end - 1)),
            code=code,
            old=self.raw[start:end].decode(),
            new=new.decode(),
            span=Span(start=start, end=end, new=new),
            is_sql=is_sql,
        )


def _scopes(node: ast.AST, outer: tuple[str, ...]) -> Iterator[tuple[int, int, str]]:
    for child in ast.iter_child_nodes(node):
        name = _name_of(child)
        if name is None:
            yield from _scopes(child, outer)
            continue
        assert isinstance(child, ast.stmt)
        qualified = (*outer, name)
        first = min([child.lineno, *(each.lineno for each in getattr(child, "decorator_list", []))])
        yield first, child.end_lineno or child.lineno, ".".join(qualified)
        if isinstance(child, Scoped):
            yield from _scopes(child, qualified)


def _name_of(node: ast.AST) -> str | None:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return node.name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
    return None
