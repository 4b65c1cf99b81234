"""The delays between attempts of a failed delivery: about a day in all, quickly at first."""

import random
from collections.abc import Callable

DELAYS_S: tuple[float, ...] = (5, 30, 120, 600, 1800, 3600, 7200, *[14_400] * 5)
# Spreads the retries to a receiver that recovers.
JITTER = 0.2


def retry_in_s(attempts: int, *, uniform: Callable[[float, float], float] = random.uniform) -> float | None:
    """The delay after that many attempts; None after the last one."""
    if attempts > len(DELAYS_S):
        return None
    return DELAYS_S[max(attempts, 1) - 1] * uniform(1 - JITTER, 1 + JITTER)
