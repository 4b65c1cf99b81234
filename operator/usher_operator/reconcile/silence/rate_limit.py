"""How fast the stale rules may fail meetings: if every guard is wrong, most of the fleet lives when that is noticed.

A token bucket over all stale rules together. It holds what one sweep's interval grants, so that a sweep after a long
pause may fail no more than any other, and two sweeps in a row no more than one.
"""

from collections.abc import Callable

from usher_operator.settings import Settings


class EndRateLimit:
    """One per reconciler. It begins full; a restart grants one sweep's share at most."""

    def __init__(self, *, settings: Settings, clock: Callable[[], float]) -> None:
        self._per_s = settings.stale_ends_per_minute / 60
        self._most = max(1.0, self._per_s * settings.reconcile_interval_s)
        self._clock = clock
        self._left = self._most
        self._counted_at = clock()

    def allowed(self) -> int:
        """How many may be failed now."""
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._counted_at) * self._per_s)
        self._counted_at = now
        return int(self._left)

    def spend(self, ended: int) -> None:
        """Count `ended` meetings that were failed."""
        self._left -= ended
