"""Commands to bots: stored first, then published on Redis, and repeated in every reply until they are obeyed.

Redis is the fast path only. A publish that fails is logged and forgotten: the row already says what is wanted, and the
bot learns it with its next heartbeat.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError

from usher_models.db import desired_state
from usher_models.db.bots import Bot, BotSummary
from usher_models.db.engine import Database
from usher_models.db.heartbeats import BotState
from usher_models.errors import RedisUnavailable
from usher_models.redis_server import RedisServer
from usher_models.states import Desired
from usher_models.wire import Command, command_channels, leave_command, reconfigure_command
from usher_operator.telemetry import COMMANDS

logger = logging.getLogger(__name__)

PUBLISH_TIMEOUT_S = 2.0
# A sweep may have hundreds of commands; they shall not wait for a Redis that is away one after the other.
REST_AFTER_FAILURE_S = 5.0


class Publisher(Protocol):
    """The fast path."""

    async def publish(self, bot: BotSummary, command: Command) -> None:
        """Send a command on both of the bot's channels; best effort, it never raises."""


class RedisPublisher:
    """Publishes on Redis; one connection pool per process. Without a Redis it does nothing."""

    def __init__(
        self, redis: Redis | None, *, server: RedisServer | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._redis = redis
        self._server = server
        self._clock = clock
        self._rests_until = clock()

    @classmethod
    def connect(cls, url: str, *, clock: Callable[[], float] = time.monotonic) -> "RedisPublisher":
        """A publisher to the Redis at `url`; an empty one means none. Connects lazily."""
        if not url:
            return cls(None, clock=clock)
        redis = Redis.from_url(url, socket_timeout=PUBLISH_TIMEOUT_S, socket_connect_timeout=PUBLISH_TIMEOUT_S)
        return cls(redis, server=RedisServer.of(url), clock=clock)

    async def publish(self, bot: BotSummary, command: Command) -> None:
        """See Publisher."""
        outcome = "skipped"
        if self._redis is not None:
            outcome = "published" if await self._send(self._redis, bot, command) else "failed"
        COMMANDS.labels(action=command.action, outcome=outcome).inc()

    async def _send(self, redis: Redis, bot: BotSummary, command: Command) -> bool:
        if self._clock() < self._rests_until:
            return False
        message = command.model_dump_json(exclude_none=True)
        try:
            async with asyncio.timeout(PUBLISH_TIMEOUT_S):
                for channel in command_channels(meeting_id=bot.meeting_id, connection_id=bot.connection_id):
                    await redis.publish(channel, message)
        except (RedisError, OSError, TimeoutError) as exc:
            self._rests_until = self._clock() + REST_AFTER_FAILURE_S
            logger.warning(
                "Redis did not take a command; the bot learns it with its next heartbeat: %s",
                self._words(exc),
                extra={"action": "publish_failed", "meeting_id": bot.meeting_id},
            )
            return False
        return True

    async def ping(self) -> None:
        """Raise RedisUnavailable, which says why, unless Redis answers; nothing without a Redis."""
        if self._redis is None:
            return
        try:
            async with asyncio.timeout(PUBLISH_TIMEOUT_S):
                await self._redis.ping()
        except (RedisError, OSError, TimeoutError) as exc:
            raise RedisUnavailable(f"No answer from {self._words(exc)}.") from exc

    def _words(self, exc: Exception) -> str:
        return self._server.words(exc) if self._server else type(exc).__name__

    @property
    def configured(self) -> bool:
        """Whether there is a Redis at all."""
        return self._redis is not None

    async def close(self) -> None:
        """Close the pool."""
        if self._redis is not None:
            await self._redis.aclose()


class Commander:
    """Asks bots to leave or to take on another configuration."""

    def __init__(self, database: Database, publisher: Publisher) -> None:
        self._database = database
        self._publisher = publisher

    async def leave(self, bots: Sequence[BotSummary], *, reason: str) -> int:
        """Ask those bots to leave; how many had not been asked before. Raises DatabaseUnavailable."""
        if not bots:
            return 0
        async with self._database.at_once() as connection:
            asked = set(await desired_state.want_leave(connection, [bot.meeting_id for bot in bots], reason=reason))
        for bot in bots:
            if bot.meeting_id in asked:
                logger.info(
                    "Asked the bot to leave.",
                    extra={"action": "leave_requested", "meeting_id": bot.meeting_id, "reason": reason},
                )
                await self._publisher.publish(bot, leave_command(bot.meeting_id))
        return len(asked)

    async def configure(self, bot: Bot, config: dict[str, Any], *, request_generation: int | None = None) -> bool:
        """Ask a bot to take on `config`; whether that is news. Raises DatabaseUnavailable.

        With a generation of its BotRequest, nothing is asked for if that or a later one was taken over meanwhile.
        """
        async with self._database.at_once() as connection:
            generation = await desired_state.want_config(
                connection, bot.meeting_id, config, request_generation=request_generation
            )
        if generation is None:
            return False
        logger.info(
            "Asked the bot to take on another configuration.",
            extra={"action": "reconfigure_requested", "meeting_id": bot.meeting_id, "generation": generation},
        )
        await self._publisher.publish(
            bot, reconfigure_command(bot.meeting_id, generation=generation, config=_visible(bot.config | config))
        )
        return True


def pending(bot: Bot | BotState) -> list[Command]:
    """What a bot was told and has not obeyed yet: the commands of a reply."""
    if not bot.live:
        return []
    commands = []
    if bot.config_generation > bot.applied_generation:
        commands.append(
            reconfigure_command(bot.meeting_id, generation=bot.config_generation, config=_visible(bot.config))
        )
    if bot.desired is Desired.LEAVE:
        commands.append(leave_command(bot.meeting_id))
    return commands


def _visible(config: dict[str, Any]) -> dict[str, Any]:
    """The part of a configuration that a command carries: never a secret, never what the bot got at its start."""
    return {key: value for key, value in config.items() if key in ("language", "task")}
