"""Spans that overlap more often than they may."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tests.faults.history.facts import Held


class Excess(NamedTuple):
    """More spans than allowed, from `begin` to `end`."""

    begin: float
    end: float
    meetings: tuple[int, ...]


def excesses(spans: Iterable[Held], *, limit: int) -> Iterator[Excess]:
    """Each span that began while it was one too many, until the first of those with it ends.

    One that ends at the moment at which another begins made room for it. What was adopted begins without asking for
    room, and counts for those after it.
    """
    open_spans: list[Held] = []
    for span in sorted(spans):
        open_spans = [each for each in open_spans if each.end > span.begin]
        open_spans.append(span)
        if len(open_spans) > limit and not span.adopted:
            end = min(each.end for each in open_spans)
            yield Excess(span.begin, end, tuple(each.meeting for each in open_spans))
