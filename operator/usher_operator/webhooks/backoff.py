"""When a delivery that failed is tried again: about a day in all, quickly at first."""

import random
from collections.abc import Callable

DELAYS_S: tuple[float, ...] = (5, 30, 120, 600, 1800, 3600, 7200, *[14_400] * 5)
# A receiver that comes back is not met by everything at the same moment.
JITTER = 0.2


def retry_in_s(attempts: int, *, uniform: Callable[[float, float], float] = random.uniform) -> float | None:
    """How long to wait after that many attempts; None when it was the last."""
    if attempts > len(DELAYS_S):
        return None
    return DELAYS_S[max(attempts, 1) - 1] * uniform(1 - JITTER, 1 + JITTER)
