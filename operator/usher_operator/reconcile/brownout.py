"""The brownout guard: whether silence may be judged at all in this sweep.

A control plane that mistakes its own blindness for the death of its bots kills the healthy. Three things speak against
a verdict, and each ends by itself:

- this process has only just begun to lead: nothing is judged before every bot had the time to beat once;
- most of the fleet fell silent at once: that is the network or Usher, not the bots. Finished Jobs still count;
- the silence fell into an outage of Usher's own: that time is credited row by row (`usher.credit`), not here.

A hold is bounded, because bots do die together when their nodes do, and every meeting must end.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from usher_operator.settings import Settings
from usher_operator.telemetry import SWEEP_HELD

logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Brownout:
    """One per reconciler; it remembers since when this process leads and since when it holds."""

    settings: Settings
    clock: Callable[[], float]
    leading_since: float | None = None
    holding_since: float | None = None
    holding: bool = False

    def leads(self) -> None:
        """This process leads; called every sweep, counted from the first."""
        if self.leading_since is None:
            self.leading_since = self.clock()

    def follows(self) -> None:
        """Another process leads, or nobody knows."""
        self.leading_since = self.holding_since = None

    def may_judge(self, *, silent: int, live: int) -> bool:
        """Whether silence may be judged, with `silent` of `live` bots beyond their limits."""
        mass = self._mass_silence(silent=silent, live=live)
        self.holding = mass
        verdict = self._settled() and not mass
        SWEEP_HELD.set(0 if verdict else 1)
        return verdict

    def _settled(self) -> bool:
        since = self.leading_since
        return since is not None and self.clock() - since >= self.settings.heartbeat_interval_s

    def _mass_silence(self, *, silent: int, live: int) -> bool:
        held = silent >= self.settings.hold_from_bots and silent > self.settings.hold_from_share * live
        if not held:
            if self.holding_since is not None:
                logger.warning("Silence is judged again.", extra={"action": "hold_released"})
            self.holding_since = None
            return False
        if self.holding_since is None:
            self.holding_since = self.clock()
        held_s = self.clock() - self.holding_since
        logger.error(
            "%d of %d bots fell silent at once: nothing is judged by silence (held for %.0f s, at most %.0f s).",
            silent,
            live,
            held_s,
            self.settings.hold_limit_s,
            extra={"action": "sweep_held", "silent": silent, "live": live},
        )
        return held_s < self.settings.hold_limit_s
