"""Logs why a dependency is away: the sentence that clients do not get, and not once for each of their requests."""

import logging
import time
from collections.abc import Callable

from usher_models.errors import Unavailable

logger = logging.getLogger(__name__)

REPEAT_AFTER_S = 10.0
MOST_REMEMBERED = 100


class OutageLog:
    """The same sentence is logged again after some seconds only."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._logged: dict[str, float] = {}

    def note(self, error: Unavailable) -> None:
        """Log the error's sentence, unless it was logged just now."""
        sentence, now = str(error), self._clock()
        if now - self._logged.get(sentence, float("-inf")) < REPEAT_AFTER_S:
            return
        if len(self._logged) >= MOST_REMEMBERED:
            self._logged.clear()
        self._logged[sentence] = now
        logger.warning("%s", sentence, extra={"action": "unavailable", "code": error.code})


outage_log = OutageLog()
