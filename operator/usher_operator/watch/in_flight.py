"""The BotRequests that the watch is handling: a few at a time, the others wait for a slot.

A sweep leaves those to the watch. Otherwise it would find all of a burst without their Jobs, handle them a second time
beside the watch, and add load exactly when there is most to do. What the watch gives up is handled by the next sweep.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from usher_operator.kube.botrequest import BotRequest
from usher_operator.telemetry import REQUESTS_IN_FLIGHT

# A restart or a burst brings thousands of objects at once. Without a limit all of them would wait for a database
# connection, most of them until the wait times out.
AT_ONCE = 24
# So many in flight mean a queue, not the few of any moment.
BACKLOG = 4 * AT_ONCE


class InFlight:
    """Lives as long as the process. kopf hands over one event of an object at a time."""

    def __init__(self) -> None:
        self.slots = asyncio.Semaphore(AT_ONCE)
        self._uids: set[str] = set()

    @property
    def has_backlog(self) -> bool:
        """True if many requests wait for a slot."""
        return len(self._uids) >= BACKLOG

    @contextmanager
    def tracking(self, request: BotRequest) -> Iterator[None]:
        """Count the request as in flight while it waits for a slot and is handled."""
        self._uids.add(request.uid)
        REQUESTS_IN_FLIGHT.set(len(self._uids))
        try:
            yield
        finally:
            self._uids.discard(request.uid)
            REQUESTS_IN_FLIGHT.set(len(self._uids))

    def __contains__(self, request: BotRequest) -> bool:
        return request.uid in self._uids
