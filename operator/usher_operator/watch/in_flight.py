"""What the watch has in hand: it carries BotRequests out a few at a time, and the others wait for their turn.

A sweep leaves those to the watch. It would find all of a burst without their Jobs, carry them out a second time beside
the watch, and so be a burden exactly when there is most to do. What the watch lets go of undone is the next sweep's.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from usher_operator.kube.botrequest import BotRequest
from usher_operator.telemetry import REQUESTS_IN_FLIGHT

# A restart or a burst brings thousands of objects at once. Without an order among them they would wait for a database
# connection until they were told that there is none.
AT_ONCE = 24
# So many in hand are a queue, and not the few that any moment has.
CROWD = 4 * AT_ONCE


class InFlight:
    """It lives as long as the process. kopf hands over one event of an object at a time."""

    def __init__(self) -> None:
        self.turns = asyncio.Semaphore(AT_ONCE)
        self._uids: set[str] = set()

    @property
    def crowded(self) -> bool:
        """Whether many wait for their turn."""
        return len(self._uids) >= CROWD

    @contextmanager
    def holding(self, request: BotRequest) -> Iterator[None]:
        """It is in hand for as long as the context lasts, in which it waits for its turn and is carried out."""
        self._uids.add(request.uid)
        REQUESTS_IN_FLIGHT.set(len(self._uids))
        try:
            yield
        finally:
            self._uids.discard(request.uid)
            REQUESTS_IN_FLIGHT.set(len(self._uids))

    def __contains__(self, request: BotRequest) -> bool:
        return request.uid in self._uids
