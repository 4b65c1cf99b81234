"""The changes of a program that are tried: each is one that somebody could make by mistake.

Left out is what no test of behaviour can or should see: log lines and their fields, docstrings, annotations, asserts,
texts, and numbers outside functions, which are choices of a size and not logic.
"""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise

from tests.mutants.mutant import Mutant, numbered
from tests.mutants.source import Source

_COMPARED: dict[type[ast.cmpop], tuple[str, tuple[str, ...]]] = {
    ast.Lt: ("<", ("<=", ">=")),
    ast.LtE: ("<=", ("<", ">")),
    ast.Gt: (">", (">=", "<=")),
    ast.GtE: (">=", (">", "<")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: (r"is\s+not", ("is",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: (r"not\s+in", ("in",)),
}
_CALCULATED: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.Pow: ("**", "*"),
    ast.Mod: ("%", "*"),
}
_SWAPPED = {"min": "max", "max": "min", "any": "all", "all": "any"}
_STATUSES = {"FAILED": "COMPLETED", "COMPLETED": "FAILED", "ACTIVE": "STARTING", "STARTING": "ACTIVE"}
_LEFT_OUT = re.compile(r"^(logger|warnings)\.|^_?say\(|\.say\(|\._tell\(")
# Only what takes something away may leave what is no program: an operand in parentheses, for example.
_REMOVED = ("", ",")
_NOT_RUN = ("annotation", "returns", "type_params", "bases", "decorator_list")

type Change = tuple[int, int, bytes]


def mutants(source: Source) -> list[Mutant]:
    """Every mutant of a file that still compiles."""
    changes = sorted(set(_Finder(source).found()), key=lambda change: (change[0], change[1], change[2]))
    found = (source.mutant(start, end, new) for start, end, new in changes)
    return numbered(mutant for mutant in found if mutant.new not in _REMOVED or _compiles(mutant.applied(source.raw)))


def _compiles(code: bytes) -> bool:
    try:
        compile(code, "<mutant>", "exec")
    except (SyntaxError, ValueError):
        return False
    return True


class _Finder:
    """Walks one file's tree. `depth` counts the functions around a node."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def found(self) -> Iterator[Change]:
        """Every change of the file."""
        yield from self._walk(self._source.tree, inside=False)

    def _walk(self, node: ast.AST, *, inside: bool) -> Iterator[Change]:
        if self._is_left_out(node):
            return
        yield from self._changes(node, inside=inside)
        for child in _children(node):
            yield from self._walk(child, inside=inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))

    def _is_left_out(self, node: ast.AST) -> bool:
        match node:
            case ast.Assert() | ast.Import() | ast.ImportFrom():
                return True
            case ast.ClassDef(bases=bases):
                return any(isinstance(base, ast.Name) and base.id == "Protocol" for base in bases)
            case ast.Expr(value=ast.Constant()):
                return True
            case ast.Call(func=func):
                return bool(_LEFT_OUT.search(self._source.text(func).decode() + "("))
        return False

    def _changes(self, node: ast.AST, *, inside: bool) -> Iterator[Change]:
        match node:
            case ast.Compare():
                yield from self._compared(node)
            case ast.BoolOp():
                yield from self._combined(node)
            case ast.BinOp():
                yield from self._calculated(node)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                yield self._replaced(node, b"(" + self._source.text(operand) + b")")
            case ast.Constant(value=bool() as value):
                yield self._replaced(node, str(not value).encode())
            case ast.Constant(value=int() | float() as value) if inside:
                yield self._replaced(node, str(value + 1).encode())
            case ast.Call(func=ast.Name(id=name) as func) if name in _SWAPPED:
                yield self._replaced(func, _SWAPPED[name].encode())
            case ast.Attribute(value=ast.Name(id="Status") as owner, attr=name) if name in _STATUSES:
                yield self._replaced(node, self._source.text(owner) + b"." + _STATUSES[name].encode())
            case ast.Set(elts=elements) | ast.Tuple(elts=elements):
                yield from self._shortened(elements)
            case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
                yield from self._negated(test)
            case ast.ExceptHandler(body=body) if not isinstance(body[0], ast.Raise):
                yield self._source.start(body[0]), self._source.end(body[-1]), b"raise"
            case ast.stmt() if inside:
                yield from self._statement(node)

    def _replaced(self, node: ast.expr | ast.stmt, new: bytes) -> Change:
        return self._source.start(node), self._source.end(node), new

    def _between(self, left: ast.expr, right: ast.expr, pattern: str) -> tuple[int, int] | None:
        start, end = self._source.end(left), self._source.start(right)
        found = re.search(pattern.encode(), self._source.raw[start:end])
        return (start + found.start(), start + found.end()) if found else None

    def _compared(self, node: ast.Compare) -> Iterator[Change]:
        operands = [node.left, *node.comparators]
        for left, operator, right in zip(operands, node.ops, operands[1:], strict=False):
            pattern, others = _COMPARED[type(operator)]
            place = self._between(left, right, pattern)
            if place:
                yield from ((*place, other.encode()) for other in others)

    def _combined(self, node: ast.BoolOp) -> Iterator[Change]:
        word, other = ("and", b"or") if isinstance(node.op, ast.And) else ("or", b"and")
        source = self._source
        for left, right in pairwise(node.values):
            place = self._between(left, right, rf"\b{word}\b")
            if place:
                yield (*place, other)
            yield source.start(left), source.start(right), b""
        yield source.end(node.values[-2]), source.end(node.values[-1]), b""

    def _calculated(self, node: ast.BinOp) -> Iterator[Change]:
        known = _CALCULATED.get(type(node.op))
        if known is None or any(_is_text(side) for side in (node.left, node.right)):
            return
        place = self._between(node.left, node.right, re.escape(known[0]))
        if place:
            yield (*place, known[1].encode())

    def _shortened(self, elements: list[ast.expr]) -> Iterator[Change]:
        """The same without one of its elements: for sets of named values, which are decisions."""
        if len(elements) < 2 or not all(isinstance(each, ast.Attribute) for each in elements):
            return
        source = self._source
        for each, following in pairwise(elements):
            yield source.start(each), source.start(following), b""
        yield source.end(elements[-2]), source.end(elements[-1]), b"," if len(elements) == 2 else b""

    def _negated(self, test: ast.expr) -> Iterator[Change]:
        if isinstance(test, ast.Compare | ast.Constant | ast.UnaryOp):
            return
        yield self._replaced(test, b"not (" + self._source.text(test) + b")")

    def _statement(self, node: ast.stmt) -> Iterator[Change]:
        match node:
            case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
                yield self._replaced(value, b"None")
            case (
                ast.Expr(value=ast.Call() | ast.Await()) | ast.AugAssign() | ast.Raise() | ast.Continue() | ast.Break()
            ):
                if not _LEFT_OUT.search(self._source.text(node).decode()):
                    yield self._replaced(node, b"pass")
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]) | ast.Delete():
                yield self._replaced(node, b"pass")


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of a node that run: no annotation, no type alias, no text inside an f-string."""
    if isinstance(node, ast.TypeAlias | ast.JoinedStr):
        return
    for name, value in ast.iter_fields(node):
        if name in _NOT_RUN:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield child
