"""Which BotRequests certainly have no bot yet, so that nobody needs to look for one.

A row that is not there may have been lost with the database. Only a BotRequest that was created while this process
watched, a moment ago, and that it has not tried to admit before, cannot have had one.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from usher_operator.kube.botrequest import BotRequest

NEW_FOR = timedelta(seconds=60)


class FirstTries:
    """Remembers the BotRequests of the last minute."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._began = now()
        self._tried: dict[str, datetime] = {}

    def is_first(self, request: BotRequest) -> bool:
        """True if nobody can have admitted the request before; from now on it was tried."""
        now = self._now()
        self._forget(now)
        tried = self._tried.setdefault(request.uid, now) is not now
        created = request.created_at
        return not tried and created is not None and created > self._began and now - created < NEW_FOR

    def _forget(self, now: datetime) -> None:
        """What is older counts as tried without being remembered. The oldest stand first."""
        while self._tried:
            uid, at = next(iter(self._tried.items()))
            if now - at <= NEW_FOR:
                return
            del self._tried[uid]
