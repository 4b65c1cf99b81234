"""The time that best-effort calls to the API server may take together.

One call after another, each up to its own timeout, add up to hours while the API server does not answer. Calls with a
budget run a few at a time and share one deadline. After a slow failure no more are tried in that namespace; a quick
refusal costs nothing and proves nothing for the other calls.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from usher_models.errors import KubernetesUnavailable

logger = logging.getLogger(__name__)

AT_ONCE = 8
CALL_TIMEOUT_S = 5.0
SLOW_S = 1.0
LIMIT_S = 20.0

Answer = TypeVar("Answer")


class ApiBudget:
    """Lives as long as one sweep, or one event of the watch."""

    def __init__(self, *, limit_s: float = LIMIT_S) -> None:
        self._ends_at = asyncio.get_running_loop().time() + limit_s
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._given_up: set[str] = set()

    async def call(self, namespace: str, work: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """The answer; None if there was none in time, or if calls in the namespace were given up."""
        async with self._slots:
            began_at = asyncio.get_running_loop().time()
            if namespace in self._given_up or began_at >= self._ends_at:
                return None
            try:
                async with asyncio.timeout_at(min(self._ends_at, began_at + CALL_TIMEOUT_S)):
                    return await work()
            except (KubernetesUnavailable, TimeoutError) as exc:
                self._note_failure(namespace, exc, began_at=began_at)
                return None

    async def gather(self, *works: Awaitable[Answer]) -> list[Answer]:
        """The results of works that make such calls, side by side."""
        return list(await asyncio.gather(*works))

    def _note_failure(self, namespace: str, error: Exception, *, began_at: float) -> None:
        now = asyncio.get_running_loop().time()
        if now - began_at >= SLOW_S or now >= self._ends_at:
            self._given_up.add(namespace)
        logger.warning(
            "A call to the API server for namespace %s is left out: %s",
            namespace,
            str(error) or f"no answer within {now - began_at:.1f} s",
            extra={"action": "api_call_failed", "namespace": namespace},
        )
