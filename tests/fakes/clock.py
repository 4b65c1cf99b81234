"""A clock that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta

BEGINNING = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


class FakeClock:
    """Called, it gives monotonic seconds; `now` gives the same moment as wall-clock time."""

    def __init__(self) -> None:
        self._passed = 1000.0

    def __call__(self) -> float:
        return self._passed

    def now(self) -> datetime:
        """The wall-clock time."""
        return BEGINNING + timedelta(seconds=self._passed - 1000.0)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._passed += seconds
