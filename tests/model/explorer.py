"""Breadth-first search through every state that can be reached, with a promise looked at in each.

The first broken promise ends it, and the shortest history that leads there is told.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.model import recovery, store
from tests.model.production import answered_by_the_model
from tests.model.steps import Bounds, steps
from tests.model.store import Broken
from tests.model.system import System

TELL_EVERY_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What came of a search. `whole`: every reachable state was seen. `history`: how a promise came to be broken."""

    states: int
    steps: int
    depth: int
    took_s: float
    whole: bool
    broken: str = ""
    history: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        reach = "all of them" if self.whole else "and there are more"
        told = f"{self.states} states ({reach}), {self.steps} steps, {self.depth} deep, in {self.took_s:.1f} s"
        if not self.broken:
            return f"{told}: every promise holds"
        return "\n".join([f"{told}: {self.broken}", *(f"  {at:>3} {step}" for at, step in enumerate(self.history, 1))])


def explore(
    bounds: Bounds,
    *,
    most_states: int = 10_000_000,
    within_s: float = 3600,
    say: Callable[[str], None] = lambda _: None,
) -> Finding:
    """Go through every state within `bounds`, up to a number of states and a time."""
    with answered_by_the_model():
        return _Search(bounds, most_states=most_states, within_s=within_s, say=say).run()


class _Search:
    def __init__(self, bounds: Bounds, *, most_states: int, within_s: float, say: Callable[[str], None]) -> None:
        self._bounds = bounds
        self._most = most_states
        self._within_s = within_s
        self._say = say
        self._began = self._told = time.monotonic()
        # How each state was reached first: from which, by what, and how deep that is.
        self._reached: dict[System, tuple[System | None, str, int]] = {}
        self._waiting: deque[System] = deque()
        self._steps = 0
        self._recovered: set[object] = set()

    def run(self) -> Finding:
        self._reach(None, "", self._bounds.beginning(), depth=0)
        while self._waiting:
            if len(self._reached) >= self._most or time.monotonic() - self._began >= self._within_s:
                return self._finding(whole=False)
            system = self._waiting.popleft()
            try:
                self._expand(system)
            except Broken as broken:
                return self._finding(whole=False, broken=str(broken), system=system)
        return self._finding(whole=True)

    def _expand(self, system: System) -> None:
        look_at(system)
        recovery.check(system, self._bounds, known=self._recovered)
        depth = self._reached[system][2]
        for name, after in steps(system, self._bounds):
            self._steps += 1
            if after not in self._reached:
                terminal_is_final(system, after)
                self._reach(system, name, after, depth=depth + 1)
        if time.monotonic() - self._told > TELL_EVERY_S:
            self._told = time.monotonic()
            self._say(f"{len(self._reached)} states, {len(self._waiting)} to go on from, {depth} deep")

    def _reach(self, origin: System | None, name: str, system: System, *, depth: int) -> None:
        self._reached[system] = (origin, name, depth)
        self._waiting.append(system)

    def _finding(self, *, whole: bool, broken: str = "", system: System | None = None) -> Finding:
        history: list[str] = []
        deepest = max((reached[2] for reached in self._reached.values()), default=0)
        while system is not None:
            system, name, _ = self._reached[system]
            history.insert(0, name)
        return Finding(
            states=len(self._reached),
            steps=self._steps,
            depth=deepest,
            took_s=time.monotonic() - self._began,
            whole=whole,
            broken=broken,
            history=[step for step in history if step],
        )


def look_at(system: System) -> None:
    """The promises that one state can break."""
    rows = [meeting.row for meeting in system.meetings if meeting.row]
    if sum(row.live for row in rows) > store.CAP:
        raise Broken("I1: more slots are held than the user may have")


def terminal_is_final(before: System, after: System) -> None:
    """I7, for one step."""
    for old, new in zip(before.meetings, after.meetings, strict=True):
        if old.row and not old.row.live and new.row and old.row.status is not new.row.status:
            raise Broken(f"I7: {old.row.status} became {new.row.status}")
