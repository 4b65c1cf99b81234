"""The loop of background work: try, log what failed, pause, try again. Nothing that fails ends it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from usher_models.errors import Unavailable

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Messages:
    """What is logged of work that fails: as `<action>_postponed` if a later try may succeed, else `<action>_failed`."""

    action: str
    postponed: str
    failed: str


async def attempt[Result](work: Callable[[], Awaitable[Result]], messages: Messages) -> Result | None:
    """The result of one try; None if it failed, which is logged."""
    try:
        return await work()
    except Unavailable as exc:
        logger.warning("%s: %s", messages.postponed, exc, extra={"action": f"{messages.action}_postponed"})
    except Exception:
        logger.exception("%s.", messages.failed, extra={"action": f"{messages.action}_failed"})
    return None


async def repeat(
    work: Callable[[], Awaitable[float | None]],
    messages: Messages,
    *,
    every_s: float,
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Work until `stopped` or cancelled, with a pause of `every_s` seconds, or of as many as `work` returned.

    `pause` may end early, for example when there is news.
    """
    while not stopped():
        pause_s = await attempt(work, messages)
        await pause(every_s if pause_s is None else pause_s)
