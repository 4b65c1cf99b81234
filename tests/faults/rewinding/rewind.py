"""What one kind of rewind is."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Protocol

from tests.faults.rewinding.ground import Ground


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a rewind loses, and what must therefore be seen."""

    name: str
    loses_late_bots: bool = True
    """Whether the rows of bots that came after the moment are gone, and must say that they were put back."""
    loses_all: bool = False
    """Whether those of all bots are."""
    keeps_late_bots: bool = True
    """Whether bots may come between the moment and the rewind: etcd forgets their pods, and a kubelet ends those."""
    is_noticed: bool = True
    """Whether the database is seen to have gone back."""


class Rewind(Protocol):
    """One rewind on one ground. What it brings with it is closed by `stack`."""

    facts: Facts

    async def mark(self, ground: Ground, stack: AsyncExitStack) -> None:
        """Remember this moment."""
        ...

    async def go_back(self, ground: Ground) -> None:
        """Go back to it."""
        ...
