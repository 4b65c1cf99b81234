"""Which BotRequests certainly have no bot yet, so that nobody needs to look for one.

A row that is not there may have been lost with the database. Only a BotRequest that was created while this process
led, a moment ago, and that it has not tried to admit before, cannot have had one. What a process saw while it stood by
was the leader's to admit.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from usher_operator.kube.botrequest import BotRequest

NEW_FOR = timedelta(seconds=60)


class FirstTries:
    """Remembers the BotRequests of the last minute."""

    def __init__(self, now: Callable[[], datetime], *, leading_for_s: Callable[[], float]) -> None:
        self._now = now
        self._leading_for_s = leading_for_s
        self._tried: dict[str, datetime] = {}

    def is_first(self, request: BotRequest) -> bool:
        """True if nobody can have admitted the request before; from now on it was tried."""
        now = self._now()
        tried = self._note(request, now)
        created = request.created_at
        return not tried and created is not None and now - created < min(NEW_FOR, self._leading_for())

    def leave_to_leader(self, request: BotRequest) -> None:
        """Note that another process may have admitted the request."""
        self._note(request, self._now())

    def _note(self, request: BotRequest, now: datetime) -> bool:
        """True if it was noted before."""
        self._forget(now)
        return self._tried.setdefault(request.uid, now) is not now

    def _leading_for(self) -> timedelta:
        return timedelta(seconds=min(self._leading_for_s(), NEW_FOR.total_seconds()))

    def _forget(self, now: datetime) -> None:
        """What is older counts as tried without being remembered. The oldest stand first."""
        while self._tried:
            uid, at = next(iter(self._tried.items()))
            if now - at <= NEW_FOR:
                return
            del self._tried[uid]
