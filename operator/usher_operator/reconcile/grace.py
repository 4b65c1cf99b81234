"""Grace periods: one odd look at the cluster proves nothing, because lists are taken at different moments."""

from collections.abc import Callable
from typing import TypeVar

Thing = TypeVar("Thing")


class Grace:
    """Remembers since when something has looked wrong, by this process's own monotonic clock.

    A restart forgets it, which only makes Usher wait longer.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: dict[tuple[str, object], float] = {}

    def over(self, things: set[Thing], *, mode: str, grace_s: float) -> set[Thing]:
        """Those of `things` that looked wrong in every sweep for `grace_s`; the others of `mode` are forgotten."""
        now = self._clock()
        self._since = {key: since for key, since in self._since.items() if key[0] != mode or key[1] in things}
        return {thing for thing in things if now - self._since.setdefault((mode, thing), now) >= grace_s}
