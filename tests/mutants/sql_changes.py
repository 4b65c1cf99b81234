"""The changes of SQL that are tried. They are made in the text, and chosen so that the statement stays a statement."""

import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

from tests.mutants.mutant import Mutant, numbered
from tests.mutants.source import Source

_IS_SQL = re.compile(
    rb"\b(SELECT|UPDATE|INSERT INTO|DELETE FROM|WHERE|FROM|JOIN|AND|FILTER|IS NULL|now\(\)|least\(|greatest\(|ANY\()"
)
_QUIET = (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.NL, tokenize.COMMENT, tokenize.ENCODING)


@dataclass(frozen=True)
class Rule:
    """What is looked for, and what its first group, or all of it, becomes."""

    pattern: re.Pattern[bytes]
    news: tuple[bytes, ...]


def _rule(pattern: bytes, *news: bytes) -> Rule:
    return Rule(re.compile(pattern), news)


_RULES = (
    _rule(rb" (<) ", b"<=", b">="),
    _rule(rb" (>) ", b">=", b"<="),
    _rule(rb" (<=) ", b"<"),
    _rule(rb" (>=) ", b">"),
    _rule(rb" (=) ", b"<>"),
    _rule(rb" (<>) ", b"="),
    _rule(rb"\bAND\b", b"OR"),
    _rule(rb"\bOR\b", b"AND"),
    _rule(rb"\bIS (NULL)\b", b"NOT NULL"),
    _rule(rb"\bIS (NOT NULL)\b", b"NULL"),
    _rule(rb"\bIS (NOT )?DISTINCT FROM\b", b"", b"NOT "),
    _rule(rb"\b(NOT )(?!NULL|EXISTS|DISTINCT|IN\b)", b""),
    _rule(rb"\b(NOT )(?=EXISTS|IN\b)", b""),
    _rule(rb"(?<!NOT )(?<!IF )\b(EXISTS)\b", b"NOT EXISTS"),
    _rule(rb"= (ANY)\(", b"ALL"),
    _rule(rb"\b(least)\(", b"greatest"),
    _rule(rb"\b(greatest)\(", b"least"),
    _rule(rb"\b(max)\(", b"min"),
    _rule(rb"\b(min)\(", b"max"),
    _rule(rb"\bcount\(\*\)( FILTER)", b""),
    _rule(rb"now\(\) (-) ", b"+"),
    _rule(rb"(?<!now\(\)) (-) (?!interval)", b"+"),
    _rule(rb" (\+) ", b"-"),
    _rule(rb"( DESC)\b", b""),
    _rule(rb"\b(FOR (?:NO KEY )?UPDATE(?: OF [a-z]+(?:, [a-z]+)*)?(?: SKIP LOCKED| NOWAIT)?)", b""),
    _rule(rb"\b(FOR (?:KEY )?SHARE(?: OF [a-z]+)?)", b""),
    _rule(rb"( SKIP LOCKED)\b", b""),
    _rule(rb"\b(LEFT )JOIN\b", b""),
    _rule(rb"SELECT (DISTINCT )", b""),
    _rule(rb"(ON CONFLICT[^\n]* DO NOTHING)", b""),
    _rule(rb"\b(true)\b", b"false"),
    _rule(rb"\b(false)\b", b"true"),
    _rule(rb"(ORDER BY [a-z_., ]+(?: DESC)?)(?= FOR| LIMIT|\n|\Z)", b""),
)


def mutants(source: Source) -> list[Mutant]:
    """Every mutant of the SQL in a file."""
    changes = sorted({change for start, end in _statements(source) for change in _changes(source.raw, start, end)})
    return numbered(source.mutant(start, end, new, is_sql=True) for start, end, new in changes)


def _statements(source: Source) -> Iterator[tuple[int, int]]:
    """Where SQL stands in a file: its texts, but no docstring."""
    begins_statement = True
    for token in tokenize.tokenize(io.BytesIO(source.raw).readline):
        is_text = token.type == tokenize.FSTRING_MIDDLE or (token.type == tokenize.STRING and not begins_statement)
        if is_text:
            start, end = (_offset(source, place) for place in (token.start, token.end))
            if _IS_SQL.search(source.raw[start:end]):
                yield start, end
        begins_statement = token.type in _QUIET


def _offset(source: Source, place: tuple[int, int]) -> int:
    line, column = place
    text = source.raw.splitlines(keepends=True)[line - 1].decode() if column else ""
    return source.offset(line, len(text[:column].encode()))


def _changes(raw: bytes, start: int, end: int) -> Iterator[tuple[int, int, bytes]]:
    sql = raw[start:end]
    for rule in _RULES:
        for found in rule.pattern.finditer(sql):
            group = 1 if found.re.groups and found.group(1) is not None else 0
            if rule.pattern.pattern.startswith(rb"\bIS (NOT )?DISTINCT"):
                yield from _distinct(found, start)
                continue
            if not _would_break(sql, found):
                yield from ((start + found.start(group), start + found.end(group), new) for new in rule.news)
    yield from _coalesced(sql, start)


def _distinct(found: re.Match[bytes], start: int) -> Iterator[tuple[int, int, bytes]]:
    if found.group(1):
        yield start + found.start(1), start + found.end(1), b""
    else:
        place = start + found.start() + len(b"IS ")
        yield place, place, b"NOT "


def _would_break(sql: bytes, found: re.Match[bytes]) -> bool:
    """True for an assignment's `=`, and for the AND of a BETWEEN: the statement would be none any more."""
    before = sql[: found.start()]
    if found.group(0).strip() == b"=":
        if re.search(rb",\s*\w+$", before):
            return True
        assigned = max(before.rfind(word) for word in (b"SET ", b"SET\n"))
        return assigned > max(before.rfind(word) for word in (b"WHERE ", b"FROM ", b" ON ", b"WHEN ", b"SELECT "))
    return found.group(0) == b"AND" and b"BETWEEN" in before[-60:]


def _coalesced(sql: bytes, start: int) -> Iterator[tuple[int, int, bytes]]:
    """`coalesce(a, b)` becomes a, and b."""
    for found in re.finditer(rb"\bcoalesce\(", sql):
        parts = _arguments(sql, found.end())
        if parts is None:
            continue
        end, arguments = parts
        yield from ((start + found.start(), start + end, b"(" + one.strip() + b")") for one in arguments)


def _arguments(sql: bytes, at: int) -> tuple[int, list[bytes]] | None:
    depth, begin = 0, at
    arguments: list[bytes] = []
    for place in range(at, len(sql)):
        letter = sql[place : place + 1]
        if letter == b"(":
            depth += 1
        elif letter == b")" and depth:
            depth -= 1
        elif letter == b")":
            return place + 1, [*arguments, sql[begin:place]]
        elif letter == b"," and not depth:
            arguments.append(sql[begin:place])
            begin = place + 1
    return None
