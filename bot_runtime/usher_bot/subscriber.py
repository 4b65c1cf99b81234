"""The fast way for commands: Redis pub/sub on the bot's two channels.

It subscribes for as long as the process runs and reconnects by itself, with jittered waits, whatever breaks. Nothing
depends on it: what is lost here is learned from the reply to the next callback. The client library is imported when
the first connection is made, because it costs a tenth of a second that `started` should not wait for.
"""

import logging
import random
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NoReturn

from usher_bot.clock import Clock
from usher_bot.commands import Inbox, parse_command
from usher_models.redis_server import RedisServer

if TYPE_CHECKING:
    from redis.asyncio.client import PubSub

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
_CONNECT_S = 5.0
_POLL_S = 20.0
# A peer that vanished without a word is noticed after about a minute; until then replies carry the commands.
_KEEPALIVE = {socket.TCP_KEEPIDLE: 30, socket.TCP_KEEPINTVL: 10, socket.TCP_KEEPCNT: 3}

logger = logging.getLogger(__name__)


class Subscriber:
    """Puts commands from Redis into the inbox."""

    def __init__(
        self,
        *,
        url: str,
        channels: tuple[str, ...],
        inbox: Inbox,
        clock: Clock,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._url = url
        self._server = RedisServer.of(url)
        self._channels = channels
        self._inbox = inbox
        self._clock = clock
        self._jitter = jitter
        self._failures = 0

    async def listen(self) -> NoReturn:
        """Listen for ever."""
        while True:
            try:
                await self._listen_once()
            except Exception as exc:
                logger.warning(
                    "Redis is away (%s); replies carry the commands.",
                    self._server.words(exc),
                    extra={"action": "redis_away"},
                )
            await self._clock.sleep(self._wait())

    async def _listen_once(self) -> NoReturn:
        async with self._subscription() as subscription:
            self._failures = 0
            logger.info("The bot listens for commands on Redis.", extra={"action": "redis_subscribed"})
            while True:
                message = await subscription.get_message(ignore_subscribe_messages=True, timeout=_POLL_S)
                command = parse_command(message["data"]) if message else None
                if command:
                    self._inbox.put(command)

    @asynccontextmanager
    async def _subscription(self) -> AsyncIterator["PubSub"]:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        client = Redis.from_url(
            self._url,
            retry=Retry(NoBackoff(), 0),
            socket_connect_timeout=_CONNECT_S,
            socket_keepalive=True,
            socket_keepalive_options=_KEEPALIVE,
        )
        async with client, client.pubsub() as subscription:
            await subscription.subscribe(*self._channels)
            yield subscription

    def _wait(self) -> float:
        self._failures += 1
        return self._jitter(0, min(FIRST_WAIT_S * 2 ** (self._failures - 1), LONGEST_WAIT_S))
