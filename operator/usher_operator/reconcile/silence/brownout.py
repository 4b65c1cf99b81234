"""The brownout guard: whether silence may be judged at all in this sweep.

A control plane that mistakes its own blindness for the death of its bots kills the healthy. Three things speak against
a verdict, and each ends by itself:

- this process has only just begun to lead: nothing is judged before every bot had the time to beat once;
- most of the fleet fell silent at once: that is the network or Usher, not the bots. Finished Jobs still count. It is
  seen before the first bot is late, because beats have phases and bots that nobody hears become late one by one; and
  it lasts until each bot had the time to beat once more, because they are heard again one by one;
- the silence fell into an outage of Usher's own: that time is credited row by row (`usher.credit`), not here.

A hold is bounded, because bots do die together when their nodes do, and every meeting must end.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from usher_operator.settings import Settings
from usher_operator.telemetry import BROWNOUT_ACTIVE

logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Brownout:
    """One per reconciler; it remembers since when this process leads and since when it holds."""

    settings: Settings
    clock: Callable[[], float]
    leading_since: float | None = None
    holding_since: float | None = None
    majority_at: float = 0.0
    holding: bool = False

    def leads(self) -> None:
        """This process leads; called every sweep, counted from the first."""
        if self.leading_since is None:
            self.leading_since = self.clock()

    def follows(self) -> None:
        """Another process leads, or nobody knows."""
        self.leading_since = self.holding_since = None

    def may_judge(self, *, silent: int, live: int, quiet: int = 0, speaking: int = 0) -> bool:
        """Whether silence may be judged, with `silent` of `live` bots beyond their limits.

        `quiet` of those `speaking`, which have spoken before, are beyond it or will be unless they beat now.
        """
        mass = self._mass_silence((silent, live), (quiet, speaking))
        self.holding = mass
        verdict = self._settled() and not mass
        BROWNOUT_ACTIVE.set(0 if verdict else 1)
        return verdict

    def _settled(self) -> bool:
        since = self.leading_since
        return since is not None and self.clock() - since >= self.settings.heartbeat_interval_s

    def _mass_silence(self, *counts: tuple[int, int]) -> bool:
        majority = [(silent, live) for silent, live in counts if self._most(silent, live)]
        if majority:
            self._note_majority(*majority[0])
        if self.holding_since is None:
            return False
        if not majority and self._all_had_time_to_beat():
            logger.warning("Silence is judged again.", extra={"action": "brownout_ended"})
            self.holding_since = None
            return False
        return self.clock() - self.holding_since < self.settings.brownout_limit_s

    def _most(self, silent: int, live: int) -> bool:
        return silent >= self.settings.brownout_min_bots and silent > self.settings.brownout_share * live

    def _all_had_time_to_beat(self) -> bool:
        return self.clock() - self.majority_at >= self.settings.heartbeat_interval_s

    def _note_majority(self, silent: int, live: int) -> None:
        self.majority_at = self.clock()
        if self.holding_since is None:
            self.holding_since = self.clock()
        logger.error(
            "%d of %d bots fell silent at once: nothing is judged by silence (held for %.0f s, at most %.0f s).",
            silent,
            live,
            self.clock() - self.holding_since,
            self.settings.brownout_limit_s,
            extra={"action": "brownout", "silent": silent, "live": live},
        )
