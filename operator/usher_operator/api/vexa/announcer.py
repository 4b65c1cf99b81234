"""Publishes changes of status on Redis, where gateways of Vexa read them for their own `/ws`."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence

from aiohttp import web
from redis.asyncio import Redis
from redis.exceptions import RedisError

from usher_models.redis_server import RedisServer

logger = logging.getLogger(__name__)

TIMEOUT_S = 2.0
# A Redis that is away, or that forbids these channels, is not asked for every frame.
REST_S = 30.0


class Announcer:
    """Best effort: a frame that Redis does not take is lost, and the next one tells the newer status."""

    def __init__(self, redis: Redis, *, server: RedisServer, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._server = server
        self._clock = clock
        self._rests_until = clock()

    @classmethod
    def connect(cls, url: str) -> "Announcer":
        """An announcer to the Redis at `url`. Connects lazily."""
        redis = Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
        return cls(redis, server=RedisServer.of(url))

    async def closing(self, _: web.Application) -> AsyncIterator[None]:
        """Close the connections when the application ends."""
        yield
        await self._redis.aclose()

    async def announce(self, channels: Sequence[str], message: str) -> None:
        """Publish a message on each channel; never raises."""
        if self._clock() < self._rests_until:
            return
        try:
            async with asyncio.timeout(TIMEOUT_S):
                for channel in channels:
                    await self._redis.publish(channel, message)
        except (RedisError, OSError, TimeoutError) as exc:
            self._rests_until = self._clock() + REST_S
            logger.warning(
                "Redis did not take a change of status for gateways: %s",
                self._server.words(exc),
                extra={"action": "announce_failed"},
            )
