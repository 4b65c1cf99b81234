"""What a rule is: it is given operations and evidence one after another, and finds in the end."""

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

from tests.faults.history.evidence import Evidence
from tests.faults.history.facts import Facts
from tests.faults.history.format import Operation

Takes = Callable[[Operation], None]


class Rule:
    """One promise. `looked_at` says how much there was to judge: a rule that looked at nothing found nothing."""

    name: ClassVar[str]
    of: ClassVar[str]
    """What `looked_at` counts."""

    def __init__(self) -> None:
        self.looked_at = 0

    def takes(self) -> Mapping[str, Takes]:
        """Which operations it wants to see, by what was asked."""
        return {}

    def note(self) -> Callable[[Evidence], None] | None:
        """What it does with evidence of a status; None if nothing."""
        return None

    def findings(self, facts: Facts) -> Iterator[str]:
        """A sentence for each place where the promise was broken."""
        raise NotImplementedError
