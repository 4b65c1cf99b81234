"""How long and how often a callback is tried again.

Two things limit the tries: each call has a policy of its own, and each kind of dismissal becomes final after a time
that runs across calls, from the first such answer until any callback is accepted. Waits have full jitter, so that bots
which lost the control plane together do not come back together.
"""

import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import tenacity

from usher_bot.answers import Answer
from usher_bot.clock import Clock
from usher_bot.errors import Dismissed, Unreachable

logger = logging.getLogger(__name__)

FIRST_WAIT_S = 0.5
LONGEST_TRY_S = 10.0

Jitter = Callable[[float, float], float]


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """The limits of one call: its whole time, one wait between tries, and one Retry-After."""

    total_s: float
    longest_wait_s: float = 30.0
    longest_retry_after_s: float = 120.0

    @property
    def try_s(self) -> float:
        """The time of one try: a short call must not spend all of it on one dead connection."""
        return min(LONGEST_TRY_S, max(self.total_s / 2, 1.0))


class Retrier:
    """Tries again within a policy. One per process, because the time of a dismissal runs across calls."""

    def __init__(self, *, clock: Clock, jitter: Jitter = random.uniform) -> None:
        self._clock = clock
        self._jitter = jitter
        self._refused_since: dict[type[Dismissed], float] = {}
        self.failure: str | None = None

    async def call(self, send: Callable[[], Awaitable[Answer]], *, policy: RetryPolicy) -> Answer:
        """The first answer of `send`. Raises the last error when it is final or the policy's time is up."""
        deadline = self._clock.now() + policy.total_s
        retrying = tenacity.AsyncRetrying(
            sleep=self._clock.sleep,
            retry=tenacity.retry_if_exception(lambda error: not self.is_final(error)),
            wait=lambda state: self._wait(state, policy=policy),
            stop=lambda state: self._clock.now() + state.upcoming_sleep >= deadline,
            after=self._note,
            before_sleep=_log,
            reraise=True,
        )
        answer: Answer = await retrying(send)
        self._refused_since.clear()
        self.failure = None
        return answer

    def is_final(self, error: BaseException) -> bool:
        """True if no later try can help."""
        if not isinstance(error, Dismissed):
            return not isinstance(error, Unreachable)
        since = self._refused_since.setdefault(type(error), self._clock.now())
        return self._clock.now() - since >= error.final_after_s

    def _note(self, state: tenacity.RetryCallState) -> None:
        self.failure = str(_error(state))

    def _wait(self, state: tenacity.RetryCallState, *, policy: RetryPolicy) -> float:
        highest = min(FIRST_WAIT_S * 2 ** (state.attempt_number - 1), policy.longest_wait_s)
        return self._jitter(0, highest) + min(_retry_after(state), policy.longest_retry_after_s)


def _error(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _retry_after(state: tenacity.RetryCallState) -> float:
    error = _error(state)
    return (error.retry_after_s or 0.0) if isinstance(error, Unreachable) else 0.0


def _log(state: tenacity.RetryCallState) -> None:
    logger.info(
        "%s Try %d follows in %.1f s.",
        _error(state),
        state.attempt_number + 1,
        state.upcoming_sleep,
        extra={"action": "callback_retried", "attempt": state.attempt_number},
    )
