"""The brownout guard: whether the stale rules may fail meetings in this sweep.

A control plane that mistakes its own outage for the death of its bots kills healthy ones. Three things forbid a
verdict, and each of them ends by itself:

- this process has only just begun to lead: it waits until every bot had the time to send one heartbeat;
- most of the fleet is late at once: the cause is the network or Usher, not the bots. Finished Jobs still count. It
  shows before the first bot is stale, because heartbeats have phases and bots become late one by one; and it lasts
  until every bot had the time to send one more heartbeat, because they report again one by one;
- all bots of a small fleet are late. One bot that died alone looks the same, so this brownout is much shorter;
- the reports could not arrive during an outage of Usher's own: that time is credited row by row (`usher.credit`), not
  here.

A brownout is bounded, because bots do die together when their nodes do, and every meeting must end. That is the true
bound of the promise while serve works but bots cannot reach it: no healthy bot is failed for `brownout_limit_s`, or in
a small fleet for `brownout_small_fleet_s`. The credit (`outage_credit_s`) is for outages of serve and its database.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from usher_operator.settings import Settings
from usher_operator.telemetry import BROWNOUT_ACTIVE

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """The live bots, counted: `stale` are beyond a limit; `late` of those `reporting` are, or will be at their next
    missed heartbeat."""

    live: int
    stale: int
    reporting: int = 0
    late: int = 0


@dataclass(kw_only=True)
class Brownout:
    """One per reconciler; it remembers since when this process leads and since when there is a brownout."""

    settings: Settings
    clock: Callable[[], float]
    leading_since: float | None = None
    began_at: float | None = None
    majority_at: float = 0.0
    limit_s: float = 0.0
    active: bool = False

    def leads(self) -> None:
        """Note that this process leads; called every sweep, the first one counts."""
        if self.leading_since is None:
            self.leading_since = self.clock()

    def follows(self) -> None:
        """Note that another process leads, or that it is not known who does."""
        self.leading_since = self.began_at = None

    def may_fail(self, fleet: Fleet) -> bool:
        """True if the stale rules may fail meetings now."""
        self.active = self._is_active(fleet)
        verdict = self._settled() and not self.active
        BROWNOUT_ACTIVE.set(0 if verdict else 1)
        return verdict

    def _settled(self) -> bool:
        since = self.leading_since
        return since is not None and self.clock() - since >= self.settings.heartbeat_interval_s

    def _is_active(self, fleet: Fleet) -> bool:
        majorities = [
            (late, all_)
            for late, all_ in ((fleet.stale, fleet.live), (fleet.late, fleet.reporting))
            if self._is_majority(late, all_)
        ]
        if majorities:
            self._note_majority(*majorities[0], limit_s=self.settings.brownout_limit_s)
        elif self._is_small_and_late(fleet):
            majorities = [(fleet.late, fleet.reporting)]
            self._note_majority(*majorities[0], limit_s=self.settings.brownout_small_fleet_s)
        if self.began_at is None:
            return False
        if not majorities and self._all_had_time_to_report():
            logger.warning("Stale bots are failed again.", extra={"action": "brownout_ended"})
            self.began_at = None
            return False
        return self.clock() - self.began_at < self.limit_s

    def _is_small_and_late(self, fleet: Fleet) -> bool:
        is_small = self.settings.brownout_small_fleet_s > 0 and fleet.live < self.settings.brownout_min_bots
        return is_small and 0 < fleet.reporting == fleet.late

    def _is_majority(self, late: int, all_: int) -> bool:
        return late >= self.settings.brownout_min_bots and late > self.settings.brownout_share * all_

    def _all_had_time_to_report(self) -> bool:
        return self.clock() - self.majority_at >= self.settings.heartbeat_interval_s

    def _note_majority(self, late: int, all_: int, *, limit_s: float) -> None:
        self.majority_at, self.limit_s = self.clock(), limit_s
        if self.began_at is None:
            self.began_at = self.clock()
        logger.error(
            "%d of %d bots stopped reporting at once: no stale bot is failed (for %.0f s so far, at most %.0f s).",
            late,
            all_,
            self.clock() - self.began_at,
            limit_s,
            extra={"action": "brownout", "late": late, "of": all_},
        )
